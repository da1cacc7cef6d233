/* metrics_process.c - what the system says of this process, under the names that Prometheus' own libraries use */
#include "gateway/metrics_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "gateway/metrics_text.h"

/* In octets; false: not known. */
static bool read_memory(int64_t *virtual_out, int64_t *resident_out)
{
    char text[128];
    FILE *file = fopen("/proc/self/statm", "re");
    bool got = file && fgets(text, sizeof text, file);
    if (file)
        fclose(file);
    if (!got)
        return false;
    char *end;
    int64_t page = sysconf(_SC_PAGESIZE);
    *virtual_out = strtoll(text, &end, 10) * page;
    *resident_out = strtoll(end, NULL, 10) * page;
    return true;
}

/* Linux tells their number as the folder's size since 6.2; before that they are counted. */
static int64_t count_open_files(void)
{
    struct stat info;
    int64_t count = 0;
    if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0)
        return info.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return -1;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 3; /* ".", "..", and the folder itself */
}

void metrics_collect_process(struct metrics_text *text, struct gateway *gateway)
{
    struct rusage used;
    struct rlimit files;
    int64_t virtual_octets, resident, open_files = count_open_files();
    struct gateway_status status;
    gateway_get_status(gateway, &status);
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        int64_t us = ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec +
                     used.ru_stime.tv_usec;
        metrics_family(text, METRICS_COUNTER, "process_cpu_seconds_total",
                       "Processor time of the daemon itself, without its workers.");
        metrics_sample_scaled(text, NULL, us, 1000000);
    }
    if (read_memory(&virtual_octets, &resident)) {
        metrics_gauge(text, "process_resident_memory_bytes", "Memory of the daemon that is in RAM.", resident);
        metrics_gauge(text, "process_virtual_memory_bytes", "Address space of the daemon.", virtual_octets);
    }
    if (open_files >= 0)
        metrics_gauge(text, "process_open_fds", "Open file descriptors.", open_files);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metrics_gauge(text, "process_max_fds", "How many file descriptors may be open.",
                      files.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)files.rlim_cur);
    metrics_family(text, METRICS_GAUGE, "process_start_time_seconds", "When the daemon started, since 1970.");
    metrics_sample_scaled(text, NULL, status.started_at, 1000);
}
