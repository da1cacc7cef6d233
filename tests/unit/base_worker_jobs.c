#include "tests/unit/base_worker_jobs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/dns_asker.h"
#include "base/file.h"
#include "base/ipc.h"
#include "base/xmalloc.h"

enum { JOB_SOCKET = 3 }; /* where a worker finds its socket */

struct job_io {
    const int *fds;
    uint8_t *answer;
    size_t answer_len;
};

static void answer_number(struct job_io *io, int64_t number)
{
    memcpy(io->answer, &number, sizeof number);
    io->answer_len = sizeof number;
}

/* Copies the first file to the second, every letter turned to upper case, and answers with the size. */
static int32_t job_shout(struct job_io *io)
{
    uint8_t bytes[4096];
    int64_t total = 0;
    ssize_t got;
    while ((got = pread(io->fds[0], bytes, sizeof bytes, total)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            bytes[i] = bytes[i] >= 'a' && bytes[i] <= 'z' ? bytes[i] - 32 : bytes[i];
        if (pwrite(io->fds[1], bytes, (size_t)got, total) != got)
            return -1;
        total += got;
    }
    answer_number(io, total);
    return 7;
}

static int32_t job_pid(struct job_io *io)
{
    answer_number(io, getpid());
    return 0;
}

static int32_t job_negative_code(struct job_io *io)
{
    (void)io;
    return INT32_MIN;
}

static int32_t job_longest_answer(struct job_io *io)
{
    memset(io->answer, 'x', IPC_PAYLOAD_MAX);
    io->answer_len = IPC_PAYLOAD_MAX;
    return 0;
}

static int32_t job_count_descriptors(struct job_io *io)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    answer_number(io, count);
    return 0;
}

static int32_t job_find_secret(struct job_io *io)
{
    answer_number(io, getenv("POSTERN_TEST_SECRET") != NULL);
    return 0;
}

#ifndef POSTERN_SANITIZE
enum { LEFT = 16 * 1024, SEEN = 24 * 1024, LEFT_MARK = 0x5a };

/* Writes all over its part of the stack, and the answer. */
static int32_t job_leave_much(struct job_io *io)
{
    volatile uint8_t local[LEFT];
    for (size_t i = 0; i < sizeof local; i++)
        local[i] = LEFT_MARK;
    memset(io->answer, LEFT_MARK, IPC_PAYLOAD_MAX);
    io->answer_len = IPC_PAYLOAD_MAX;
    return 0;
}

/* How much of that is still there, below what is used of the stack now. */
static int32_t job_find_what_was_left(struct job_io *io)
{
    volatile uint8_t local[1] = { 0 };
    uintptr_t here = (uintptr_t)local;
    int64_t found = 0;
    for (uintptr_t at = here - SEEN; at < here; at++)
        found += *(const volatile uint8_t *)at == LEFT_MARK;
    for (size_t i = 0; i < IPC_PAYLOAD_MAX; i++)
        found += io->answer[i] == LEFT_MARK;
    answer_number(io, found);
    return 0;
}
#endif

static int32_t job_too_long_answer(struct job_io *io)
{
    io->answer_len = IPC_PAYLOAD_MAX + 1;
    return 0;
}

static int32_t job_abort(struct job_io *io)
{
    (void)io;
    abort();
}

static int32_t job_exit(struct job_io *io)
{
    (void)io;
    _exit(3);
}

static int32_t job_hang(struct job_io *io)
{
    (void)io;
    static struct ipc_message never;
    return ipc_receive(JOB_SOCKET, &never);
}

static int32_t job_burn(struct job_io *io)
{
    (void)io;
    for (volatile uint64_t i = 0; i < UINT64_MAX; i++)
        ;
    return -1;
}

/* SIGXCPU cannot get at this one; the clock on the wall can. */
static int32_t job_burn_deaf(struct job_io *io)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return job_burn(io);
}

static int32_t job_use_half_a_second(struct job_io *io)
{
    (void)io;
    struct timespec start, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 500);
    return 0;
}

static int32_t job_write_too_much(struct job_io *io)
{
    return (int32_t)pwrite(io->fds[0], "x", 1, (off_t)2 << 30);
}

/* ---- breaking the protocol ---- */

static void send_raw(const void *bytes, size_t len, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    uint8_t *copy = xmemdup(bytes, len);
    struct iovec part = { copy, len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
    }
    (void)!sendmsg(JOB_SOCKET, &msg, 0);
    free(copy);
}

static int32_t job_say_half(struct job_io *io)
{
    send_raw("\1\0\0", 3, -1);
    return job_hang(io);
}

static int32_t job_say_nothing(struct job_io *io)
{
    send_raw("", 0, -1);
    return job_burn(io);
}

static int32_t job_say_too_much(struct job_io *io)
{
    uint8_t *bytes = xcalloc(1, IPC_PAYLOAD_MAX + 100);
    send_raw(bytes, IPC_PAYLOAD_MAX + 100, -1);
    free(bytes);
    return job_hang(io);
}

static int32_t job_send_descriptor(struct job_io *io)
{
    send_raw("\0\0\0\0\1\0\0\0", 8, JOB_SOCKET);
    return job_hang(io);
}

static int32_t job_hang_up(struct job_io *io)
{
    close(JOB_SOCKET);
    return job_burn(io);
}

static int32_t job_answer_twice(struct job_io *io)
{
    send_raw("\1\0\0\0\0\0\0\0first", 13, -1);
    (void)io;
    return 2;
}

static int32_t job_answer_without_end(struct job_io *io)
{
    (void)io;
    while (fcntl(JOB_SOCKET, F_GETFD) >= 0)
        send_raw("\1\0\0\0\0\0\0\0again", 13, -1);
    return -1;
}

/* ---- asking ---- */

/* Asks for the next number until the reply is empty; answers with the last one. */
static int32_t job_ask(struct job_io *io)
{
    uint8_t *reply = xmalloc(IPC_PAYLOAD_MAX);
    int64_t number = 0;
    size_t len;
    for (;;) {
        worker_ask(&number, sizeof number, reply, &len);
        if (len < sizeof number)
            break;
        memcpy(&number, reply, sizeof number);
    }
    free(reply);
    answer_number(io, number);
    return 0;
}

static int32_t job_ask_longest(struct job_io *io)
{
    uint8_t *question = xcalloc(1, IPC_PAYLOAD_MAX), *reply = xmalloc(IPC_PAYLOAD_MAX);
    size_t len;
    worker_ask(question, IPC_PAYLOAD_MAX, reply, &len);
    answer_number(io, len > 0 && reply[len - 1] == 'z' ? (int64_t)len : -1);
    free(question);
    free(reply);
    return 0;
}

/* Through an asker that may ask three questions. The code says which step went wrong. */
static int32_t job_ask_dns(struct job_io *io)
{
    struct dns_asker *asker = dns_asker_new(3);
    const struct dns_answer *first = dns_asker_ask("Found.example", DNS_TXT, asker);
    if (first->outcome != DNS_FOUND || first->count != 1 || strcmp(first->records[0].data, "hello") != 0)
        return 1;
    if (dns_asker_ask("found.EXAMPLE.", DNS_TXT, asker) != first) /* not asked again */
        return 2;
    if (dns_asker_ask("a..example", DNS_TXT, asker)->outcome != DNS_NO_NAME) /* not worth a question */
        return 3;
    if (dns_asker_ask("found.example", DNS_A, asker)->outcome != DNS_TEMPORARY) /* answered with rubbish */
        return 4;
    if (dns_asker_ask("other.example", DNS_TXT, asker)->outcome != DNS_NO_NAME)
        return 5;
    if (dns_asker_ask("fourth.example", DNS_TXT, asker)->outcome != DNS_TEMPORARY)
        return 6;
    if (strcmp(first->records[0].data, "hello") != 0) /* what was said before is still there */
        return 7;
    dns_asker_free(&asker);
    answer_number(io, asker == NULL);
    return 0;
}

/* A question as the protocol has it, without waiting for the reply. */
static int32_t job_ask_twice(struct job_io *io)
{
    send_raw("\xff\xff\xff\x7f\0\0\0\0first", 13, -1);
    send_raw("\xff\xff\xff\x7f\0\0\0\0second", 14, -1);
    return job_hang(io);
}

static int32_t job_ask_and_answer(struct job_io *io)
{
    (void)io;
    send_raw("\xff\xff\xff\x7f\0\0\0\0first", 13, -1);
    return 2;
}

static int32_t job_ask_and_exit(struct job_io *io)
{
    (void)io;
    send_raw("\xff\xff\xff\x7f\0\0\0\0first", 13, -1);
    _exit(4);
}

static int32_t job_reserved_code(struct job_io *io)
{
    (void)io;
    return WORKER_CODE_RESERVED;
}

/* ---- what the sandbox is for ---- */

#ifndef POSTERN_SANITIZE
static int32_t job_eat_memory(struct job_io *io)
{
    for (size_t eaten = 0; eaten < WORKER_TEST_MEMORY * 4; eaten += 1 << 20)
        memset(xmalloc(1 << 20), 1, 1 << 20);
    answer_number(io, 0);
    return 0;
}

static int32_t job_eat_half_the_memory(struct job_io *io)
{
    uint8_t *memory = xmalloc(WORKER_TEST_MEMORY / 2);
    memset(memory, 1, WORKER_TEST_MEMORY / 2);
    answer_number(io, memory[WORKER_TEST_MEMORY / 4]);
    free(memory);
    return 0;
}

static int32_t job_open(struct job_io *io)
{
    (void)io;
    return open("/etc/passwd", O_RDONLY);
}

static int32_t job_create(struct job_io *io)
{
    (void)io;
    return open("/tmp/postern-worker-test", O_WRONLY | O_CREAT, 0600);
}

static int32_t job_stat(struct job_io *io)
{
    (void)io;
    struct stat stat_out;
    return stat("/etc/passwd", &stat_out);
}

static int32_t job_socket(struct job_io *io)
{
    (void)io;
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int32_t job_socketpair(struct job_io *io)
{
    (void)io;
    int ends[2];
    return ipc_pair(ends);
}

static int32_t job_exec(struct job_io *io)
{
    (void)io;
    char *const none[] = { NULL };
    return execve("/bin/true", none, none);
}

static int32_t job_fork(struct job_io *io)
{
    (void)io;
    return fork();
}

static int32_t job_kill_parent(struct job_io *io)
{
    (void)io;
    return kill(1, 0);
}

static int32_t job_signal_other(struct job_io *io)
{
    (void)io;
    return (int32_t)syscall(SYS_tgkill, getpid() - 1, getpid() - 1, SIGKILL);
}

static int32_t job_map_code(struct job_io *io)
{
    (void)io;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int32_t job_map_shared(struct job_io *io)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, io->fds[0], 0) == MAP_FAILED;
}

/* Shared memory of its own would be beside the limit. */
static int32_t job_map_shared_memory(struct job_io *io)
{
    (void)io;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

/* A file may be larger than the memory that there is; but not larger than was said. */
static int32_t job_map_files(struct job_io *io)
{
    size_t size = WORKER_TEST_MEMORY + WORKER_TEST_MAPPED - ((size_t)8 << 20);
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, io->fds[0], 0);
    if (map == MAP_FAILED)
        return 1;
    if (mmap(NULL, (size_t)16 << 20, PROT_READ, MAP_PRIVATE, io->fds[0], 0) != MAP_FAILED)
        return 2;
    return munmap(map, size);
}

static int32_t job_make_code(struct job_io *io)
{
    (void)io;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int32_t job_raise_limit(struct job_io *io)
{
    (void)io;
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
    return setrlimit(RLIMIT_AS, &limit);
}

static int32_t job_limit_other(struct job_io *io)
{
    (void)io;
    struct rlimit limit;
    return prlimit(1, RLIMIT_CPU, NULL, &limit);
}

static int32_t job_memfd(struct job_io *io)
{
    (void)io;
    return memfd_create("more", 0);
}

static int32_t job_call_32_bit(struct job_io *io)
{
    (void)io;
    int32_t result = 20; /* getpid() of i386 */
#ifdef __x86_64__
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
#else
    result = (int32_t)syscall(SYS_openat, -1, "", 0);
#endif
    return result;
}

static int compare_ints(const void *a, const void *b)
{
    const int *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* What computing needs: none of it may be forbidden. The code says which step failed. */
static int32_t job_compute(struct job_io *io)
{
    enum { COUNT = 100000 };
    int *numbers = xmalloc(COUNT * sizeof *numbers);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (int)((unsigned)i * 7919 % COUNT);
    qsort(numbers, COUNT, sizeof *numbers, compare_ints);
    bool sorted = numbers[0] == 0 && numbers[COUNT - 1] == COUNT - 1;
    numbers = xreallocarray(numbers, COUNT * 40, sizeof *numbers);
    free(numbers);
    if (!sorted)
        return 1;

    time_t now = time(NULL);
    struct tm local;
    char text[64];
    if (localtime_r(&now, &local) == NULL || strftime(text, sizeof text, "%F %T %Z", &local) == 0)
        return 2;

    FILE *out = fdopen(dup(io->fds[0]), "w+");
    if (out == NULL || fprintf(out, "%.3f %s\n", 1.5, text) < 0 || fseek(out, 0, SEEK_SET) < 0 || fgetc(out) != '1')
        return 3;
    fclose(out);

    int64_t size;
    if (file_size(io->fds[0], &size) < 0 || size < 5 || ftruncate(io->fds[0], 3) < 0)
        return 4;
    void *map = mmap(NULL, 3, PROT_READ, MAP_PRIVATE, io->fds[0], 0);
    if (map == MAP_FAILED || memcmp(map, "1.5", 3) != 0)
        return 5;
    return munmap(map, 3);
}
#endif

static const struct {
    const char *name;
    int32_t (*run)(struct job_io *io);
} jobs[] = {
    { "shout", job_shout },
    { "pid", job_pid },
    { "negative-code", job_negative_code },
    { "longest-answer", job_longest_answer },
    { "count-descriptors", job_count_descriptors },
    { "find-secret", job_find_secret },
    { "too-long-answer", job_too_long_answer },
    { "abort", job_abort },
    { "exit", job_exit },
    { "hang", job_hang },
    { "burn", job_burn },
    { "burn-deaf", job_burn_deaf },
    { "use-half-a-second", job_use_half_a_second },
    { "write-too-much", job_write_too_much },
    { "say-half", job_say_half },
    { "say-nothing", job_say_nothing },
    { "say-too-much", job_say_too_much },
    { "send-descriptor", job_send_descriptor },
    { "hang-up", job_hang_up },
    { "answer-twice", job_answer_twice },
    { "answer-without-end", job_answer_without_end },
    { "ask", job_ask },
    { "ask-longest", job_ask_longest },
    { "ask-dns", job_ask_dns },
    { "ask-twice", job_ask_twice },
    { "ask-and-answer", job_ask_and_answer },
    { "ask-and-exit", job_ask_and_exit },
    { "reserved-code", job_reserved_code },
#ifndef POSTERN_SANITIZE
    { "leave-much", job_leave_much },
    { "find-what-was-left", job_find_what_was_left },
    { "eat-memory", job_eat_memory },
    { "eat-half-the-memory", job_eat_half_the_memory },
    { "open", job_open },
    { "create", job_create },
    { "stat", job_stat },
    { "socket", job_socket },
    { "socketpair", job_socketpair },
    { "exec", job_exec },
    { "fork", job_fork },
    { "kill-parent", job_kill_parent },
    { "signal-other", job_signal_other },
    { "map-code", job_map_code },
    { "make-code", job_make_code },
    { "map-shared", job_map_shared },
    { "map-shared-memory", job_map_shared_memory },
    { "map-files", job_map_files },
    { "raise-limit", job_raise_limit },
    { "limit-other", job_limit_other },
    { "memfd", job_memfd },
    { "call-32-bit", job_call_32_bit },
    { "compute", job_compute },
#endif
};

static int32_t handle(const void *request, size_t request_len, const int *fds, size_t fd_count, void *answer,
                      size_t *answer_len)
{
    (void)fd_count; /* each job knows what it is given */
    struct job_io io = { .fds = fds, .answer = answer };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        if (strlen(jobs[i].name) == request_len && memcmp(jobs[i].name, request, request_len) == 0) {
            int32_t code = jobs[i].run(&io);
            *answer_len = io.answer_len;
            return code;
        }
    }
    return -1000;
}

static void prepare(void)
{
    tzset(); /* reads a file */
}

const struct worker_program worker_test_program = { prepare, handle };
