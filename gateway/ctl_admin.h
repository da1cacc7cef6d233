/* ctl_admin.h - posternctl admin add NAME, admin passwd NAME: asks for the password, then the daemon
 *
 * A password among the words would be seen by everybody who lists processes, and kept by shells. On a terminal it is asked for twice and not
 * shown; else it is the first line of standard input.
 */
#pragma once
#include "gateway/ctl.h"

ctl_verb ctl_admin_password;
