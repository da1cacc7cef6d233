/* stream_internal.h - what the files of the stream share
 *
 * Private to base/: it shows libevent. stream.c holds the life and the callbacks of a stream, stream_io.c moves bytes,
 * stream_tls.c does so through TLS, stream_connect.c gets a client connected, stream_input.c is the input buffer.
 *
 * Two kinds of functions: those of stream.h are called by the owner, and only change the stream and arrange for
 * settle() at the end of the turn. All others run from the loop; each way in from the loop ends with stream_report(),
 * the only place that calls the owner, after which the stream may be gone.
 */
#pragma once
#include <event2/buffer.h>
#include <sys/types.h>

#include "base/loop_internal.h"
#include "base/stream.h"
#include "base/stream_input.h"

struct stream_tls;
struct stream_connect;

enum {
    STREAM_INPUT_DEFAULT = 64 * 1024,
    STREAM_CONNECT_TIMEOUT_MS = 30 * 1000,
    STREAM_HANDSHAKE_TIMEOUT_MS = 30 * 1000, /* STARTTLS and accepted connections */
    STREAM_FAREWELL_MS = 10 * 1000,          /* for the last output, after stream_close_after_output() */
    STREAM_DISCARD_MS = 2 * 1000,            /* for the peer to close, after it was told that we have */
    STREAM_DISCARDING_MAX = 64,              /* no waiting for that when more without an owner are there */
};

enum stream_state {
    STREAM_CONNECTING,  /* looking up, connecting; nothing can be read or written */
    STREAM_TLS_WAITING, /* STARTTLS: what was written before is still going out in plain; nothing is read */
    STREAM_HANDSHAKE,   /* TLS handshake; output waits */
    STREAM_OPEN,        /* bytes go both ways */
    STREAM_INPUT_OVER,  /* the peer has closed its direction in order, or was silent too long; output still goes */
    STREAM_ENDED,       /* nothing goes any more; the owner has been or is about to be told */
    STREAM_FAREWELL,    /* without owner: the last output is going out */
    STREAM_DISCARDING,  /* without owner: all sent, our direction closed; input is thrown away until the peer closes */
    STREAM_DEAD,        /* freed; descriptor closed; memory goes at the end of the turn */
};

/* What the owner has to be told yet; bits of stream->news. */
enum stream_news {
    NEWS_CONNECTED = 1 << 0,
    NEWS_TLS = 1 << 1,
    NEWS_INPUT = 1 << 2,
    NEWS_DRAINED = 1 << 3,
    NEWS_END = 1 << 4,
};

/* What settle() has to do at the end of the turn; bits of stream->chores. */
enum stream_chore {
    CHORE_CONNECT = 1 << 0,
    CHORE_FLUSH = 1 << 1,
    CHORE_RECEIVE = 1 << 2, /* there is room again; TLS may hold bytes that the kernel does not know of */
};

struct stream {
    struct loop *loop;
    const struct stream_callbacks *callbacks;
    void *ctx;
    enum stream_state state;
    unsigned news;
    unsigned chores;
    int fd;               /* -1: none (yet, or any more) */
    bool paused;          /* by the owner */
    bool settling;        /* settle() is queued */
    bool end_told;        /* on_end was called: no callback any more */
    bool output_blocked;  /* the kernel takes no more for now */
    bool tls_write_reads; /* TLS must read before it can write (a handshake message in pieces) */
    bool tls_read_writes; /* TLS must write before it can read (a key update to be answered) */
    short watched;        /* EV_READ, EV_WRITE: which events are added */
    struct event readable;
    struct event writable;
    size_t input_max;
    struct stream_input input;
    struct evbuffer *output;        /* NULL while there is none */
    size_t plain_output;            /* STREAM_TLS_WAITING: bytes that must go out before the handshake */
    struct stream_tls *tls;         /* NULL: plain */
    struct stream_connect *connect; /* only while connecting */
    struct timer *limit;            /* connecting, handshake, farewell; NULL until first needed */
    struct timer *idle;             /* NULL until first needed */
    struct timer *vigil;            /* of connections that we have made; NULL until connected */
    int64_t idle_ms;
    int64_t input_moved_ms;  /* when something was last received, or reading resumed */
    int64_t output_moved_ms; /* when output was last accepted by the kernel, or began to wait */
    enum stream_end end;     /* with NEWS_END */
    char *end_detail;
    struct loop_orphan orphan; /* linked in while without owner */
};

/* --- stream.c --- */
struct stream *stream_new(struct loop *loop, const struct stream_settings *settings, enum stream_state state);
void stream_set_state(struct stream *stream, enum stream_state state);
bool stream_has_owner(const struct stream *stream);
void stream_attach(struct stream *stream, int fd); /* takes over a descriptor, not yet watched */
void stream_opened(struct stream *stream);         /* connected and, when wanted, encrypted: bytes may go */
/* The connection is lost: nothing goes any more. The owner hears of it at the next report; detail is copied. */
void stream_fail(struct stream *stream, enum stream_end why, const char *detail);
/* No more input will be taken, but output may go on: the peer closed in order (EOF) or was silent (TIMEOUT). */
void stream_end_input(struct stream *stream, enum stream_end why, const char *detail);
void stream_bury(struct stream *stream);   /* closes at once; memory goes at the end of the turn */
void stream_detach(struct stream *stream); /* closes the descriptor */
void stream_report(struct stream *stream);
void stream_do_later(struct stream *stream, unsigned chores);
void stream_watch(struct stream *stream); /* adjusts the watched events to the state */
void stream_limit(struct stream *stream, int64_t ms);
bool stream_wants_input(const struct stream *stream);

/* --- stream_io.c --- */
enum io_result {
    IO_DONE,    /* some bytes went */
    IO_BLOCKED, /* try again when the descriptor is ready */
    IO_CLOSED,  /* reading: the peer closed in order */
    IO_FAILED,  /* stream_fail() was called */
};
void stream_receive(struct stream *stream); /* as much as there is room for */
void stream_flush(struct stream *stream);
void stream_discard(struct stream *stream);     /* reads and forgets; closes at the end of input */
void stream_say_goodbye(struct stream *stream); /* all output is sent: closes our direction */

/* --- stream_tls.c --- */
/* On the attached descriptor. name, pin: of the expected server, or NULL. */
void stream_tls_prepare(struct stream *stream, struct tls_context *context, bool server, const char *name,
                        const char *pin);
void stream_tls_begin(struct stream *stream);     /* enters STREAM_HANDSHAKE and takes the first step */
void stream_tls_handshake(struct stream *stream); /* a step */
enum io_result stream_tls_read(struct stream *stream, void *out, size_t len, size_t *got_out);
enum io_result stream_tls_write(struct stream *stream, const void *data, size_t len, size_t *written_out);
bool stream_tls_handshake_writes(const struct stream *stream); /* the handshake waits for room to write */
void stream_tls_close_notify(struct stream *stream);
void stream_tls_free(struct stream_tls **tls);

/* --- stream_connect.c --- */
void stream_connect_begin(struct stream *stream);
void stream_connect_ready(struct stream *stream);   /* the descriptor became writable */
void stream_connect_expired(struct stream *stream); /* the limit of the current attempt has passed */
void stream_connect_free(struct stream_connect **connect);

/* --- stream_vigil.c --- */
void stream_vigil_prepare(int fd);              /* before connecting */
void stream_vigil_begin(struct stream *stream); /* once connected: the stream fails when its peer vanishes */
