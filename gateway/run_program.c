/* run_program.c - see run_program.h */
#include "gateway/run_program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child_output.h"
#include "base/strbuf.h"

enum { NOT_THERE = 127, PATH_MAX_LEN = 8192 };

struct program {
    const char *const *argv;
    bool errors_too;
};

/* execvp() takes them as if it could change them. */
static int become(void *ctx, int out)
{
    const struct program *program = ctx;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    const char *path = getenv("PATH");
    struct strbuf longer;
    strbuf_init(&longer, PATH_MAX_LEN);
    strbuf_add_fmt(&longer, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    if (strbuf_ok(&longer) && nothing >= 0 && setenv("PATH", longer.data, 1) == 0 && setenv("LC_ALL", "C", 1) == 0 &&
        dup2(nothing, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(program->errors_too ? out : nothing, STDERR_FILENO) >= 0)
        execvp(program->argv[0], (char *const *)(uintptr_t)program->argv);
    return NOT_THERE;
}

int run_program(const char *const *argv, int64_t ms, bool errors_too, struct strbuf *out)
{
    const struct child_output_settings settings = { .ms = ms, .may_say_more = true };
    struct program program = { argv, errors_too };
    int status;
    if (child_output_run(&settings, become, &program, out, &status) == CHILD_OUTPUT_FAILED)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) != NOT_THERE ? WEXITSTATUS(status) : -1;
}
