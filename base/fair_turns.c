/* fair_turns.c - see fair_turns.h */
#include "base/fair_turns.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/xmalloc.h"

struct piece {
    struct piece *next;
    fair_piece *run;
    void *arg;
};

struct line {
    struct piece *first, **end;
};

/* Of one owner, as long as there is anything of theirs. */
struct owner {
    struct owner *next;
    char *name;
    struct line more, begins; /* of what is open already; and what begins something */
    size_t open;
};

struct fair_turns {
    struct loop *loop;
    struct timer *timer;
    struct owner *owners; /* in the order of their turns */
    size_t waiting;
    bool is_freeing;
};

static void line_init(struct line *line)
{
    line->first = NULL;
    line->end = &line->first;
}

static void line_add(struct line *line, fair_piece *run, void *arg)
{
    struct piece *piece = xcalloc(1, sizeof *piece);
    piece->run = run;
    piece->arg = arg;
    *line->end = piece;
    line->end = &piece->next;
}

static struct piece *line_take(struct line *line)
{
    struct piece *piece = line->first;
    line->first = piece->next;
    if (!line->first)
        line->end = &line->first;
    return piece;
}

static bool has_turn(const struct owner *owner)
{
    return owner->more.first || (owner->begins.first && owner->open < FAIR_TURNS_OPEN_MAX);
}

static struct owner **find_owner(struct fair_turns *turns, const char *name)
{
    struct owner **link = &turns->owners;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

/* A new one is the last. */
static struct owner *get_owner(struct fair_turns *turns, const char *name)
{
    struct owner **link = find_owner(turns, name);
    if (!*link) {
        struct owner *made = xcalloc(1, sizeof *made);
        made->name = xstrdup(name);
        line_init(&made->more);
        line_init(&made->begins);
        *link = made;
    }
    return *link;
}

static void forget_if_done(struct owner **link)
{
    struct owner *owner = *link;
    if (owner->open > 0 || owner->more.first || owner->begins.first)
        return;
    *link = owner->next;
    free(owner->name);
    free(owner);
}

static void start(struct fair_turns *turns)
{
    if (!turns->is_freeing && !timer_is_running(turns->timer))
        timer_start(turns->timer, 0);
}

static void move_to_end(struct fair_turns *turns, struct owner **link)
{
    struct owner *owner = *link, **last = &turns->owners;
    *link = owner->next;
    while (*last)
        last = &(*last)->next;
    owner->next = NULL;
    *last = owner;
}

/* false: nobody's turn has come. */
static bool run_one(struct fair_turns *turns)
{
    struct owner **link = &turns->owners;
    while (*link && !has_turn(*link))
        link = &(*link)->next;
    struct owner *owner = *link;
    if (!owner)
        return false;
    move_to_end(turns, link);
    bool begins = !owner->more.first;
    struct piece *piece = line_take(begins ? &owner->begins : &owner->more);
    turns->waiting--;
    owner->open += begins;
    if (!begins)
        forget_if_done(find_owner(turns, owner->name));
    piece->run(piece->arg);
    free(piece);
    return true;
}

static void on_turn(void *arg)
{
    struct fair_turns *turns = arg;
    int64_t began = clock_monotonic_ms(loop_clock(turns->loop));
    if (!run_one(turns))
        return;
    int64_t took = clock_monotonic_ms(loop_clock(turns->loop)) - began;
    timer_start(turns->timer, took < FAIR_TURNS_PAUSE_MS ? took : FAIR_TURNS_PAUSE_MS);
}

struct fair_turns *fair_turns_new(struct loop *loop)
{
    struct fair_turns *turns = xcalloc(1, sizeof *turns);
    turns->loop = loop;
    turns->timer = timer_new(loop, on_turn, turns);
    return turns;
}

void fair_turns_free(struct fair_turns **turns_in)
{
    struct fair_turns *turns = *turns_in;
    if (!turns)
        return;
    turns->is_freeing = true;
    timer_free(&turns->timer);
    while (turns->owners) {
        struct owner *owner = turns->owners;
        owner->open = 0; /* whoever still is will not be asked to end */
        if (!run_one(turns))
            forget_if_done(&turns->owners);
    }
    free(turns);
    *turns_in = NULL;
}

void fair_turns_add(struct fair_turns *turns, const char *owner, fair_piece *piece, void *arg)
{
    line_add(&get_owner(turns, owner)->more, piece, arg);
    turns->waiting++;
    start(turns);
}

void fair_turns_begin(struct fair_turns *turns, const char *owner, fair_piece *piece, void *arg)
{
    line_add(&get_owner(turns, owner)->begins, piece, arg);
    turns->waiting++;
    start(turns);
}

void fair_turns_end(struct fair_turns *turns, const char *owner)
{
    struct owner **link = find_owner(turns, owner);
    if (!*link || (*link)->open == 0)
        return; /* fair_turns_free() has forgotten it */
    (*link)->open--;
    forget_if_done(link);
    start(turns);
}

size_t fair_turns_waiting(const struct fair_turns *turns)
{
    return turns->waiting;
}
