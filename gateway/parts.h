/* parts.h - what all parts of the gateway stand on
 *
 * Made by gateway.c before any part, freed after the last. Parts keep a pointer to it. `config` is replaced
 * by a reload, so nobody keeps pointers into it across turns of the loop.
 */
#pragma once
#include <stdint.h>

struct background;
struct clock;
struct config;
struct convert;
struct fair_turns;
struct hold;
struct loop;
struct passwords;
struct measures;
struct refusals;
struct reporter;
struct resolver;
struct signed_id;
struct signer;
struct store;
struct verify;

struct parts {
    struct loop *loop;
    struct clock *clock;
    struct config *config;
    struct store *store;
    struct convert *convert;
    struct verify *verify;         /* NULL: no listener needs it */
    struct background *background; /* may wait for the disk */
    struct background *digester;   /* only computes, so that nobody waits for a disk here */
    struct passwords *passwords;   /* of the web page's accounts; has a thread of its own */
    struct resolver *resolver;     /* asks DNS */
    struct reporter *reporter;
    struct refusals *refusals; /* what is turned away is noted here */
    struct hold *hold;         /* mail that awaits an approval; NULL: none can be kept */
    struct signed_id *ids;     /* that go out and come back */
    struct signer *signer;     /* of our mail */
    struct measures *measures; /* what is noted of how long things take; NULL: nothing is */
    struct fair_turns *turns;  /* what administrators ask for; NULL: not yet, or not any more */
};
