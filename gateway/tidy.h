/* tidy.h - what the database is rid of, and what is put right in it, every few seconds
 *
 * In one operation of the committer, a little at a time. What fails is tried again the next time.
 */
#pragma once

struct parts;

void tidy_begin(const struct parts *parts);
