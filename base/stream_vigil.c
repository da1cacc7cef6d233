/* stream_vigil.c - notices that the machine of a peer has vanished
 *
 * What the kernel can do by itself does not fit: TCP_USER_TIMEOUT also ends connections to peers that are there and take nothing in
 * for a while (a relay that looks through a message may, for three minutes: RFC 5321 section 4.5.3.2.5), and takes the place of
 * keepalive's own count. So we look at what the kernel knows: when a peer that something was sent to has last acknowledged
 * anything, be it a probe. While nothing is to be sent, keepalive sends probes.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/stream_internal.h"

enum {
    LOOK_MS = 10 * 1000,
    VANISHED_MS = 60 * 1000,
    ANSWER_MS = 5 * 1000, /* more than a path takes */
    PROBES_UNANSWERED = 2,
    KEEPALIVE_IDLE_S = 20,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 4,
    STUCK_MS = 4 * 60 * 1000, /* a peer that is there and takes nothing in; more than any protocol's own patience */
};

/* An option that the kernel refuses is no reason not to connect. */
void stream_vigil_prepare(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
        { IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, STUCK_MS },
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

static bool has_vanished(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return false;
    /* A peer without room answers each attempt, but the kernel makes fewer and fewer, more than a minute apart in the end. So
     * silence counts only after an attempt. */
    bool was_tried = info.tcpi_unacked > 0 && info.tcpi_last_data_sent + ANSWER_MS < info.tcpi_last_ack_recv;
    return (was_tried || info.tcpi_probes >= PROBES_UNANSWERED) && info.tcpi_last_ack_recv >= VANISHED_MS;
}

static void look(void *arg)
{
    struct stream *stream = arg;
    if (stream->fd < 0)
        return;
    if (!has_vanished(stream->fd)) {
        timer_start(stream->vigil, LOOK_MS);
        return;
    }
    stream_fail(stream, STREAM_END_RESET, "the peer has vanished: no sign of it for a minute");
    stream_report(stream);
    stream_watch(stream);
}

void stream_vigil_begin(struct stream *stream)
{
    stream->vigil = timer_new(stream->loop, look, stream);
    timer_start(stream->vigil, LOOK_MS);
}
