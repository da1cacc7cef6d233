/* sanitizers.c - what ASan looks for besides its defaults, in every program of the preset dev; the environment may ask for more */

/* NOLINTBEGIN(bugprone-reserved-identifier): the library looks for this name */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_stack_use_after_return=1";
}
/* NOLINTEND(bugprone-reserved-identifier) */
