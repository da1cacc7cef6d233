/* maildir.h - delivering into a maildir, durably
 *
 * The message is written to DIR/tmp, synced, linked into DIR/new, and the directory synced, on a helper thread (fsync
 * never runs on the loop). DIR and its tmp, new, cur are created (0700) when missing; the parent of DIR is not.
 *
 * The file name is `unique` (the queue's own id; at most 60 octets, not empty), a dot, and the first 16 hex digits of
 * the content's SHA-256. So a delivery repeated after a crash finds its file in new/ or cur/ and makes no second one,
 * while a queue that starts again at the same ids does not take another's file for its own.
 *
 * Line ends become LF, as mail programs expect in a maildir. Return-Path and one Delivered-To for each recipient are
 * put in front, then the prefix.
 */
#pragma once
#include <stdint.h>

#include "smtp/smtp_client.h"

struct background;

/* done comes on the loop, never from inside this call, with one result per recipient (all alike): DELIVERED (250), or
 * TEMPORARY with the system's words (452 when the disk is full, 451 otherwise). When the background is freed first,
 * done is not called. message is copied, its content_fd duplicated. */
void maildir_deliver(struct background *background, const char *directory, const char *unique,
                     const struct smtp_client_message *message, smtp_client_done *done, void *ctx);
