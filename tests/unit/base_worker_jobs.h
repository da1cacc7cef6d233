/* base_worker_jobs.h - the jobs that the tests of base/worker.h give their workers
 *
 * A request is the name of a job, as in the table at the end of base_worker_jobs.c: ordinary work, every way to fail,
 * every way to break the protocol and (built without sanitizers) every attempt that the sandbox must stop.
 */
#pragma once
#include "base/worker.h"

enum { WORKER_TEST_MEMORY = 64 << 20, WORKER_TEST_MAPPED = 256 << 20 }; /* limits that the jobs reckon with, bytes */

extern const struct worker_program worker_test_program;
