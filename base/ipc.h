/* ipc.h - messages and file descriptors between a process and its children
 *
 * Over an AF_UNIX SOCK_SEQPACKET pair: boundaries are kept, a message is read whole or not at all. The peer
 * may be a compromised worker: lengths and counts are checked, surplus descriptors are closed.
 *
 * Whether a call waits is a property of the socket (O_NONBLOCK), not of the call. No signal is raised when
 * the peer is gone. The two ends must be the same program: the format is the machine's own.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { IPC_PAYLOAD_MAX = 60 * 1024, IPC_FDS_MAX = 4 };

struct ipc_message {
    uint32_t type; /* what the two ends agreed on */
    size_t len;
    int fds[IPC_FDS_MAX]; /* owned by the receiver; close-on-exec */
    size_t fd_count;
    uint8_t payload[IPC_PAYLOAD_MAX];
};

/* Both close-on-exec. The first is non-blocking (for the side that has a loop), the second blocks (for the
 * child). 1, or -1 with errno. */
int ipc_pair(int fds_out[static 2]) __attribute__((warn_unused_result));
/* fds stay the sender's. At most IPC_PAYLOAD_MAX bytes and IPC_FDS_MAX descriptors (asserted). 1 sent, 0 would
 * block, -1 error with errno (EPIPE or ECONNRESET: peer gone). */
int ipc_send(int socket, uint32_t type, const void *payload, size_t len, const int *fds, size_t fd_count)
    __attribute__((warn_unused_result));
/* 1 received, 0 would block, -1 with errno: ECONNRESET the peer is gone, EPROTO malformed, else what the
 * kernel says. On 1 the caller owns message->fds; otherwise there are none. */
int ipc_receive(int socket, struct ipc_message *message) __attribute__((warn_unused_result));
void ipc_close_fds(struct ipc_message *message);
