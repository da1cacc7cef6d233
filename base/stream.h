/* stream.h - a connection: bytes in, bytes out, plain or TLS, with bounded lines
 *
 * Wraps a connected or connecting socket. Input is read into a bounded buffer; when the owner does not
 * take it, reading stops and TCP pushes back. Output is buffered without bound (the owner watches
 * stream_pending_output() or on_drained and stops producing); it leaves at the end of the turn, so that many
 * small writes become one packet. An idle connection holds no buffers.
 *
 * Callbacks run on the loop, never from inside a function called by the owner, and never after
 * stream_free() was called. stream_free() may be called in any callback; memory is released at the end of
 * the turn. on_end comes at most once and is the last callback; the stream remains the owner's, who frees it.
 *
 * Times: connecting takes at most connect_timeout_ms, TLS included. Any other handshake takes at most 30 s. Pointers
 * to input (lines, stream_peek()) hold until the next call on the stream, and not beyond the return to the loop.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct stream;
struct tls_context;

enum stream_end {
    /* The peer closed in order. on_input has announced all input before; while the owner pauses, the end waits. What
     * the owner then leaves in the buffer (half a line) stays there. Output still goes: stream_close_after_output(). */
    STREAM_END_EOF,
    STREAM_END_RESET, /* connection lost, refused, unreachable, name not found; or TLS cut off without close_notify */
    STREAM_END_TLS,   /* handshake failed, certificate refused, broken record */
    /* Connecting, handshake, or idle longer than stream_set_idle_timeout(). After the peer was silent, output still
     * goes: a last line may be written before stream_close_after_output(). */
    STREAM_END_TIMEOUT,
};

struct stream_callbacks {
    /* TCP is up (and TLS, when implicit); clients only; before on_tls; may be NULL. */
    void (*on_connected)(struct stream *stream, void *ctx);
    /* STARTTLS or implicit TLS handshake done, peer verified as asked; may be NULL. */
    void (*on_tls)(struct stream *stream, void *ctx);
    /* New input is buffered. Called again only for further input. */
    void (*on_input)(struct stream *stream, void *ctx);
    /* All output has been handed to the kernel; may be NULL. */
    void (*on_drained)(struct stream *stream, void *ctx);
    /* detail: for the log, valid during the call. */
    void (*on_end)(struct stream *stream, enum stream_end why, const char *detail, void *ctx);
};

struct stream_settings {
    const struct stream_callbacks *callbacks; /* must stay valid (a static const) */
    void *ctx;
    size_t input_max; /* bytes buffered before reading pauses, never more; 0: 64 KiB */
};

/* Takes over a connected non-blocking fd. tls NULL: plain; else implicit TLS, server side. */
struct stream *stream_new_accepted(struct loop *loop, const struct stream_settings *settings, int fd,
                                   struct tls_context *tls);

struct stream_target {
    const char *address;        /* "host:port", "[v6]:port", "unix:/path"; names are looked up off the loop */
    struct tls_context *tls;    /* NULL: plain (STARTTLS may follow) */
    const char *tls_name;       /* for SNI and TLS_VERIFY_CA; NULL: the host of address */
    const char *pin;            /* for TLS_VERIFY_PIN; NULL: accept any, see stream_peer_pin() */
    int64_t connect_timeout_ms; /* all addresses together; 0: 30 s */
};
/* Tries each address in turn, each but the last for its share of the time and 5 s at most. Never NULL; failure arrives as on_end. Copies what it needs. What is written before
 * on_connected goes out afterwards. */
struct stream *stream_new_connecting(struct loop *loop, const struct stream_settings *settings,
                                     const struct stream_target *target);

/* A connected pair within the process, for tests: what one writes at the end of one loop_turn() the other reads in the
 * next. It can do everything a TCP connection can, STARTTLS too. */
void stream_new_pair(struct loop *loop, const struct stream_settings *a, const struct stream_settings *b,
                     struct stream **a_out, struct stream **b_out);

void stream_free(struct stream **stream); /* closes at once; unsent output is lost */
/* Gives up ownership, no more callbacks: sends what is buffered (for at most 10 s), closes our direction (with
 * close_notify under TLS), waits up to 2 s for the peer to close too (or its last input would turn our close into a
 * reset that destroys what we sent), but not while 64 others of the loop are in this, then closes. Without an
 * established connection it is stream_free(). */
void stream_close_after_output(struct stream **stream);

/* Starts TLS on an open plain stream. The input buffer must be empty (RFC 3207 section 4.2, no injected commands):
 * -1 and nothing happens if it is not. 1: handshake started, on_tls or on_end follows. Output written before
 * is sent in plain first, what is written from now on encrypted. Client: tls_name and pin as in stream_target, but a
 * NULL tls_name fails under TLS_VERIFY_CA. */
int stream_start_tls_server(struct stream *stream, struct tls_context *tls) __attribute__((warn_unused_result));
int stream_start_tls_client(struct stream *stream, struct tls_context *tls, const char *tls_name, const char *pin)
    __attribute__((warn_unused_result));
bool stream_is_tls(const struct stream *stream);
const char *stream_tls_version(const struct stream *stream); /* "TLSv1.3", NULL when plain */
const char *stream_tls_cipher(const struct stream *stream);  /* "TLS_AES_256_GCM_SHA384", NULL when plain */
/* Of the peer's certificate, "sha256:..."; NULL if none. Known after the handshake, also when the pin was wrong. */
const char *stream_peer_pin(const struct stream *stream);
/* Until when the peer's certificate is valid, s since 1970; 0: it has shown none, or its date can't be read. */
int64_t stream_peer_expires(const struct stream *stream);
/* The first of the context's peers (tls_context_know_peers()) that the client's certificate is of; NULL: none of them, or it has
 * shown none. Valid as long as the stream. */
const char *stream_tls_peer(const struct stream *stream);
enum { STREAM_SUBJECT_SIZE = 200 };
/* For logs: whom the peer's certificate names, "CN=mx.example.org,O=Example" (RFC 4514, cut to fit), and why its chain is not good; ""
 * without one. Any text that a stranger likes. */
void stream_peer_subject(const struct stream *stream, char out[static STREAM_SUBJECT_SIZE]);

/* One line, without its end. 1: *line_out is valid until the next call on this stream, NUL-terminated, and
 * consumed; 0: not complete yet; -1: longer than max (without line end), or than the input buffer; nothing is
 * consumed. Lines end with CRLF; a bare LF ends one too when lf_ok, else it is part of the line, like a bare CR and
 * NUL. *had_crlf_out (may be NULL) says which it was. */
int stream_read_line(struct stream *stream, size_t max, bool lf_ok, const char **line_out, size_t *len_out,
                     bool *had_crlf_out) __attribute__((warn_unused_result));
size_t stream_input_size(const struct stream *stream);
/* Contiguous bytes at the front of the input (some, not necessarily all); 0 when empty. Valid until consumed. */
size_t stream_peek(struct stream *stream, const uint8_t **data_out) __attribute__((warn_unused_result));
void stream_consume(struct stream *stream, size_t len);

/* Copies. Goes out at the end of the turn; silently forgotten when the connection has failed (on_end tells). */
void stream_write(struct stream *stream, const void *data, size_t len);
size_t stream_pending_output(const struct stream *stream);

/* From now on so many bytes are buffered, as input_max of the settings; what is in the buffer stays. What does not fit
 * stays with the kernel, so that TLS can begin right behind what has been read. */
void stream_set_input_max(struct stream *stream, size_t max);

/* Stops and resumes reading (backpressure). on_input comes for what arrives after resuming, and once at the
 * end of the turn of resuming if input is buffered already. */
void stream_pause_input(struct stream *stream, bool paused);

/* on_end(TIMEOUT) when output waits and none of it moved for so long; or when none waits, reading is neither
 * paused nor stopped by a full buffer, and nothing moved in either direction for so long. 0: never (the default).
 * Begins anew with each call. */
void stream_set_idle_timeout(struct stream *stream, int64_t ms);
