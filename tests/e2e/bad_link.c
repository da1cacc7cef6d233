/* bad_link.c - a link between two network namespaces that treats packets badly, as it is told to
 *
 *   postern_bad_link NAMESPACE DEVICE NAMESPACE DEVICE SEED
 *
 * Makes a TUN device in each namespace (paths like /proc/PID/ns/net), says "ready", and carries IPv4 packets from one to the
 * other. A line of the standard input changes how, for one direction or both, and is answered "ok":
 *
 *   ab|ba|both [delay=MS] [jitter=MS] [loss=PERMILLE] [reorder=PERMILLE] [duplicate=PERMILLE] [corrupt=PERMILLE]
 *              [longest=OCTETS] [cut=0|1]
 *
 * delay: of every packet; jitter: up to so much more, which keeps their order. reorder: of so many, the delay is up to 50 ms
 * longer, so that others overtake them. corrupt: one octet behind the IP header is another one (checksums find that). longest:
 * larger packets vanish, without ICMP (a black hole of the path's MTU); 0: all pass. cut: nothing passes, what is under way included.
 * What is not named in a line is off from then on. "count" is answered with how many packets were passed, lost and so on.
 * It ends with its standard input. Choices depend on the seed and on the packets, which TCP sends by its own timers: so a run is like another
 * of the same seed, not the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_MAX = 2048,
    WAITING_MAX = 8192, /* packets under way in a direction; more are lost, as a full queue loses them */
    LATE_MS = 50,
    IP_HEADER_MIN = 20,
};

struct manners {
    unsigned delay, jitter, loss, reorder, duplicate, corrupt, longest, cut;
};

struct packet {
    int64_t due_us;
    uint64_t number; /* of two that are due together the former goes first */
    size_t len;
    uint8_t data[PACKET_MAX];
};

struct direction {
    int from, to;
    struct manners manners;
    int64_t last_due_us;                 /* of those in order */
    struct packet *waiting[WAITING_MAX]; /* a heap */
    size_t count;
    unsigned long passed, lost, late, doubled, changed, vanished, cut;
};

static uint64_t random_state, numbers;
static struct direction directions[2];

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static bool happens(unsigned permille)
{
    return permille > 0 && next_random() % 1000 < permille;
}

static int64_t random_ms_as_us(unsigned ms)
{
    return ms == 0 ? 0 : (int64_t)(next_random() % ((uint64_t)ms * 1000));
}

/* --- Packets under way --- */

static bool is_before(const struct packet *a, const struct packet *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->number < b->number);
}

static void swap(struct packet **a, struct packet **b)
{
    struct packet *former = *a;
    *a = *b;
    *b = former;
}

static void put(struct direction *d, struct packet *packet)
{
    size_t i = d->count++;
    d->waiting[i] = packet;
    for (; i > 0 && is_before(d->waiting[i], d->waiting[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&d->waiting[i], &d->waiting[(i - 1) / 2]);
}

static struct packet *take(struct direction *d)
{
    struct packet *first = d->waiting[0];
    d->waiting[0] = d->waiting[--d->count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < d->count; child++)
            if (is_before(d->waiting[child], d->waiting[least]))
                least = child;
        if (least == i)
            return first;
        swap(&d->waiting[i], &d->waiting[least]);
        i = least;
    }
}

static void add(struct direction *d, const uint8_t *data, size_t len)
{
    if (d->count == WAITING_MAX) {
        d->lost++;
        return;
    }
    struct packet *packet = malloc(sizeof *packet);
    if (packet == NULL)
        abort();
    memcpy(packet->data, data, len);
    packet->len = len;
    packet->number = numbers++;
    packet->due_us = now_us() + (int64_t)d->manners.delay * 1000 + random_ms_as_us(d->manners.jitter);
    if (happens(d->manners.reorder)) {
        packet->due_us += random_ms_as_us(LATE_MS);
        d->late++;
    } else {
        if (packet->due_us < d->last_due_us)
            packet->due_us = d->last_due_us;
        d->last_due_us = packet->due_us;
    }
    if (len > IP_HEADER_MIN && happens(d->manners.corrupt)) {
        packet->data[IP_HEADER_MIN + next_random() % (len - IP_HEADER_MIN)] ^= (uint8_t)(1 + next_random() % 255);
        d->changed++;
    }
    put(d, packet);
}

static void receive(struct direction *d)
{
    uint8_t data[PACKET_MAX];
    ssize_t len = read(d->from, data, sizeof data);
    if (len <= 0 || data[0] >> 4 != 4)
        return;
    if (d->manners.cut) {
        d->cut++;
    } else if (d->manners.longest > 0 && (size_t)len > d->manners.longest) {
        d->vanished++;
    } else if (happens(d->manners.loss)) {
        d->lost++;
    } else {
        add(d, data, (size_t)len);
        if (happens(d->manners.duplicate)) {
            add(d, data, (size_t)len);
            d->doubled++;
        }
    }
}

static void send_due(struct direction *d)
{
    while (d->count > 0 && d->waiting[0]->due_us <= now_us()) {
        struct packet *packet = take(d);
        if (d->manners.cut)
            d->cut++;
        else if (write(d->to, packet->data, packet->len) == (ssize_t)packet->len)
            d->passed++;
        else
            d->lost++; /* the device has gone */
        free(packet);
    }
}

/* --- Orders --- */

static bool read_word(struct manners *manners, const char *word)
{
    static const struct {
        const char *name;
        size_t offset;
    } names[] = {
        { "delay=", offsetof(struct manners, delay) },         { "jitter=", offsetof(struct manners, jitter) },
        { "loss=", offsetof(struct manners, loss) },           { "reorder=", offsetof(struct manners, reorder) },
        { "duplicate=", offsetof(struct manners, duplicate) }, { "corrupt=", offsetof(struct manners, corrupt) },
        { "longest=", offsetof(struct manners, longest) },     { "cut=", offsetof(struct manners, cut) },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i].name);
        if (strncmp(word, names[i].name, len) == 0) {
            unsigned value = (unsigned)strtoul(word + len, NULL, 10);
            memcpy((char *)manners + names[i].offset, &value, sizeof value);
            return true;
        }
    }
    return false;
}

static bool set_manners(char *line)
{
    char *rest = NULL;
    char *which = strtok_r(line, " ", &rest);
    struct manners manners = { 0 };
    if (which == NULL)
        return false;
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        if (!read_word(&manners, word))
            return false;
    bool both = strcmp(which, "both") == 0;
    if (both || strcmp(which, "ab") == 0)
        directions[0].manners = manners;
    if (both || strcmp(which, "ba") == 0)
        directions[1].manners = manners;
    return true;
}

static void obey(char *line)
{
    if (strcmp(line, "count") == 0) {
        const struct direction *a = &directions[0], *b = &directions[1];
        printf("passed=%lu lost=%lu late=%lu doubled=%lu changed=%lu vanished=%lu cut=%lu\n", a->passed + b->passed,
               a->lost + b->lost, a->late + b->late, a->doubled + b->doubled, a->changed + b->changed,
               a->vanished + b->vanished, a->cut + b->cut);
    } else {
        puts(set_manners(line) ? "ok" : "what?");
    }
    fflush(stdout);
}

/* False at the end of the orders. */
static bool read_orders(void)
{
    static char text[4096];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, text + len, sizeof text - 1 - len);
    if (got <= 0)
        return false;
    len += (size_t)got;
    text[len] = '\0';
    for (char *end; (end = strchr(text, '\n')) != NULL;) {
        *end = '\0';
        obey(text);
        len -= (size_t)(end + 1 - text);
        memmove(text, end + 1, len + 1);
    }
    return len < sizeof text - 1;
}

/* --- Devices --- */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* In that namespace, where it stays. */
static int make_device(const char *net_namespace, const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int space = open(net_namespace, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0)
        fail(net_namespace);
    close(space);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        fail("/dev/net/tun");
    return fd;
}

static int wait_ms(void)
{
    int64_t least = INT64_MAX, now = now_us();
    for (size_t i = 0; i < 2; i++)
        if (directions[i].count > 0 && directions[i].waiting[0]->due_us < least)
            least = directions[i].waiting[0]->due_us;
    if (least == INT64_MAX)
        return -1;
    return least <= now ? 0 : (int)((least - now + 999) / 1000);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s NAMESPACE DEVICE NAMESPACE DEVICE SEED\n", argv[0]);
        return 64;
    }
    int a = make_device(argv[1], argv[2]), b = make_device(argv[3], argv[4]);
    random_state = strtoull(argv[5], NULL, 10);
    directions[0].from = directions[1].to = a;
    directions[0].to = directions[1].from = b;
    puts("ready");
    fflush(stdout);
    struct pollfd fds[] = { { a, POLLIN, 0 }, { b, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
    for (;;) {
        if (poll(fds, 3, wait_ms()) < 0 && errno != EINTR)
            fail("poll");
        for (size_t i = 0; i < 2; i++) {
            if (fds[i].revents & POLLIN)
                receive(&directions[i]);
            send_due(&directions[i]);
        }
        if (fds[2].revents != 0 && !read_orders())
            return 0;
    }
}
