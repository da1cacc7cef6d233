/* ctl_doctor.h - posternctl doctor, also for whoever has just set things up */
#pragma once
#include <stdbool.h>

#include "gateway/ctl.h"

ctl_verb ctl_doctor;
/* Looks and shows what was found on standard output. only: a topic; NULL: all. The exit status. */
int ctl_doctor_look(const struct ctl *ctl, bool json, const char *only);
