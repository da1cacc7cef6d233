/* background.h - one helper thread for short blocking work (fsync of a file, name look-ups)
 *
 * Jobs run one after another on the thread, in order of submission; their done functions run on the loop, in the same
 * order. Not for the database: the store has its own committer.
 *
 * A job's data belongs to the job from submission until done or discard is called: exactly one of the two, exactly
 * once. Functions of this header are for the loop's thread only. The thread blocks all signals. What starts child
 * processes must have done so before (no fork while it runs).
 */
#pragma once

struct loop;
struct background;

struct background *background_new(struct loop *loop); /* never NULL; aborts when there can be no thread */
/* Waits for the running job; those that have not had their done are discarded, the running one too. May be called from
 * done. */
void background_free(struct background **background);
/* work runs on the thread, then done on the loop, each with arg; done is never called from inside this function.
 * discard (may be NULL) is called instead of done when the background is freed first, whether work has run or not. */
void background_submit(struct background *background, void (*work)(void *arg), void (*done)(void *arg),
                       void (*discard)(void *arg), void *arg);
