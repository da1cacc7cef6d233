/* fair_turns.h - work that holds the loop up for a while: a piece at a time, and everybody in turn
 *
 * Some answers take the loop's thread for tens of milliseconds. Asked for by many at once they would run one after the other in one
 * turn of the loop, and whoever is greeted by a listener waits for all of them. Here a turn does one piece, and after each the loop
 * is left to others for as long as the piece took, PAUSE_MS at most: they have half of the time. Owners are
 * served in turn, so that one with a thousand pieces does not keep another's from being done next but one.
 *
 * Loop's thread only. A piece runs in a later turn than the one in which it was added, never from inside a call. What an owner holds is not
 * limited here: who adds has a limit of their own.
 */
#pragma once
#include <stddef.h>

struct fair_turns;
struct loop;

enum {
    FAIR_TURNS_OPEN_MAX = 4, /* of what one owner began, that has not ended */
    FAIR_TURNS_PAUSE_MS = 100,
};

typedef void fair_piece(void *arg);

struct fair_turns *fair_turns_new(struct loop *loop);
/* Pieces that still wait are done, at once and without turns: nobody is forgotten who was to be answered. */
void fair_turns_free(struct fair_turns **turns);

/* Adds a piece. owner: any text, copied. */
void fair_turns_add(struct fair_turns *turns, const char *owner, fair_piece *piece, void *arg);
/* Likewise the first piece of something that goes on elsewhere, say on another thread: it waits while its owner has FAIR_TURNS_OPEN_MAX that
 * have begun and not ended. fair_turns_end() must follow, once it has run. */
void fair_turns_begin(struct fair_turns *turns, const char *owner, fair_piece *piece, void *arg);
void fair_turns_end(struct fair_turns *turns, const char *owner);

size_t fair_turns_waiting(const struct fair_turns *turns); /* pieces that have not run */
