/* ctl_terminal.h - the terminal that posternctl is used from, if it is: its width, colours, questions, secrets
 *
 * Colours are for terminals: none where output goes to a file or another program, none when NO_COLOR is set to anything but
 * nothing (https://no-color.org), none when TERM is "dumb". CLICOLOR_FORCE set to anything but nothing and "0" colours in any
 * case, for those who page through the output; NO_COLOR is stronger. JSON is never coloured.
 *
 * Questions are asked on standard error and answered on standard input. Where that is no terminal, nobody is there to be asked:
 * commands have an option for what they would ask.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

bool ctl_is_terminal(int fd);
/* Columns of the terminal; 80 where that can't be told, never fewer than 20. */
unsigned ctl_terminal_width(int fd);
bool ctl_uses_colours(int fd);

/* What a word says about how things are. */
enum ctl_mood { CTL_MOOD_NONE, CTL_MOOD_GOOD /* green */, CTL_MOOD_WARNING /* yellow */, CTL_MOOD_BAD /* red */ };
/* text, in the colour of its mood when `coloured`. */
void ctl_add_coloured(struct strbuf *out, bool coloured, enum ctl_mood mood, const char *text);
/* Shows what the daemon has answered for people: known words of state are coloured, where they stand in a column or behind a
 * key whose values are states ("state", "silo_state", "verdict"), and nowhere else. */
void ctl_add_answer(struct strbuf *out, bool coloured, const char *text);

/* Asks "QUESTION [y/N] ": 1 yes; 0 no, or just Enter; -1: nobody is there to be asked, or the input has ended. What is neither is
 * asked again. */
int ctl_ask_yes(const char *question) __attribute__((warn_unused_result));
/* Asks for one line: "QUESTION [PRESET]: ". What is typed, without white space around it, or the preset when nothing is; preset NULL: there
 * is none, and "" is an answer. NULL: nobody is there to be asked, the input has ended, or the line has more than 1,000 octets. The caller
 * frees it. */
char *ctl_ask_line(const char *question, const char *preset) __attribute__((warn_unused_result));

/* Reads a line that must not be seen. On a terminal the prompt is shown and nothing of what is typed is; it echoes again when this
 * ends, whatever ends it: a signal (INT, TERM, HUP, QUIT, TSTP) has its way once it does, and after a stop (TSTP) the prompt comes
 * again. Where standard input is no terminal, its next line is taken without a prompt, so scripts need no option.
 * 1 with the line, without its end, which the caller frees; 0 nothing was typed: an empty line; -1 the input has ended, or the line has
 * more than 1,000 octets (said on standard error). */
int ctl_read_secret(const char *prompt, char **secret_out) __attribute__((warn_unused_result));
