/* delivery.pml - how mail and members' messages get through, as a model that spin checks
 *
 * Whoever may cut a connection or end a program does so at any step here: an SMTP sender, the gateway with its database,
 * the silo with the gateway's queue in it, and a relay. What is checked is what the programs promise: nothing that was
 * answered is lost, members get nothing twice, a relay gets a mail twice only when its final reply was lost, and all of it
 * comes to an end.
 *
 *   tests/model/run              the bounds that ./check --long checks, and every mutation
 *   tests/model/run --quick      smaller bounds, every mutation: seconds to minutes
 *   tests/model/run NAME         one of them; --list names them
 *
 * What stands for what. A step in atomic { } is one turn of the event loop, one transaction, or one program's taking of
 * one frame; between two steps everything else may happen. Durable are in_state, in_attempts, out_state, out_attempts (the
 * database), the silo's queue and what it has accepted (copies), and what the relay has accepted (mailed). All else of the
 * gateway is gone after a crash(). A commit and the callback that hears of it are one step: whatever may happen in between has the same
 * effect when it happens after both and what the callback has sent gets lost, and it may.
 *
 * Reading a trail. When a property fails, tests/model/run shows its last steps and keeps all of it in build/model/NAME.log.
 * Each line has a process, a line of this file and the statement. Follow the lines of Nature (what was cut, and when) first,
 * then those with up! and down! (what was on the connection to the silo), then the last assertion. By hand:
 * spin -a delivery.pml; cc -DCOLLAPSE -o pan pan.c; ./pan; spin -t -p -g delivery.pml; with the -D that the log names.
 *
 * Not in it: time (what waits for a time may happen at any moment, or when nothing else can), content, more than one silo
 * or member, administrators (who may drop and hold), reports and notices (each enters a queue in the commit of what it is
 * about, and is then as any other entry), and the steps in which one commit reaches the disk, which the fault tests do.
 */

#ifndef IN
#define IN 2                    /* mails from outside */
#endif
#ifndef OUT
#define OUT 2                   /* messages of the member */
#endif
#ifndef CUTS
#define CUTS 2                  /* of any connection */
#endif
#ifndef CRASHES
#define CRASHES 2               /* of the gateway */
#endif
#ifndef RESTARTS
#define RESTARTS 0              /* of the silo, likewise by kill -9 */
#endif
#ifndef FAILURES
#define FAILURES 0              /* of a transaction: a full disk, a failed sync */
#endif
#ifndef RESENDS
#define RESENDS 0               /* that the silo makes after 30 s although its message is being worked on */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1              /* that are refused before a mail or message is given up */
#endif
#ifndef THREAD
#define THREAD 0                /* 1: the second mail belongs into the thread that the first one starts */
#endif
#ifndef AWAY
#define AWAY 0                  /* 1: mail may be given up while the silo is away */
#endif

/* No array is empty. */
#if IN > 0
#define INS IN
#else
#define INS 1
#endif
#if OUT > 0
#define OUTS OUT
#else
#define OUTS 1
#endif
#define LOGINS (1 + CUTS + CRASHES + RESTARTS)
#define UP_ROOM (IN + 4 + RESENDS)
#define DOWN_ROOM (IN + 3 + RESENDS)
#define QUEUE_ROOM (IN + OUT + LOGINS)

/* What is in the silo's queue for us: our posts come round as m, the member's messages are MESSAGE + j, barriers
 * BARRIER + their number, which is the random key of a login. */
#define MESSAGE 4
#define BARRIER 8
#define NOTHING 255

/* --- durable --- */

mtype:entry = { ABSENT, WAITING, ROUTED, SETTLED, RETURNED, FAILED };

mtype:entry in_state[INS] = ABSENT;   /* RETURNED: its sender gets a report */
byte in_attempts[INS];
mtype:entry out_state[OUTS] = ABSENT; /* SETTLED: delivered; FAILED: the author is told so */
byte out_attempts[OUTS];

chan queue = [QUEUE_ROOM] of { byte };
byte copies[INS];                     /* in the silo, for the members: it keeps them until they are fetched */
byte mailed[OUTS];                    /* copies that the relay has accepted */

/* --- what senders and the member know --- */

bool answered[INS];                   /* 250 has reached the sender */
byte written;                         /* by the member */

/* --- the connection to the silo ---
 * Both ends see a cut when they come to it, and may read before that what was on the way; what is sent after it goes nowhere. */

mtype:frame = { POST, SYNC, DONE, ANSWER, REFUSAL, DELIVERY };
chan up = [UP_ROOM] of { mtype:frame, byte };
chan down = [DOWN_ROOM] of { mtype:frame, byte };
bool wire, our_end, its_end;
byte unacked = NOTHING;               /* the silo's: delivered over this connection, and not acknowledged */
#ifdef BAD_EARLY_LOGIN
chan stale = [UP_ROOM] of { mtype:frame, byte };
#endif

/* --- the gateway's memory --- */

mtype:link = { OFFLINE, SYNCING, ONLINE };
mtype:link link = OFFLINE;
byte logins;                          /* number of the last barrier; those of other processes are others, so it stays */
byte working = NOTHING;               /* tmtp_client_inbox.c, unanswered: one at a time */
bool working_link;                    /* it came, or came again, over the connection that there is now */
short acked;                          /* the last that were acknowledged, a bit each */

mtype:session = { CLOSED, SUBMITTED, REPLY_250, REPLY_451 };
mtype:session session[INS] = CLOSED;  /* inbound_store.c: the mail is with the committer, then an answer under way */
byte orphans[INS];                    /* with the committer, but their sender's connection is gone */

mtype:job = { NO_JOB, CONVERTING, POSTING, SETTLING };
mtype:job job[INS] = NO_JOB;          /* poster.c */
bool echoed[INS];                     /* echo_msgid: to be acknowledged when settled */

/* Operations that are with the committer: */
bool late[INS];                       /* poster.c, struct late_echo */
bool arrival[OUTS];                   /* outbound.c */
bool overdue[INS];                    /* poster_overdue.c */

/* --- the connection to a relay --- */

mtype:relay = { IDLE, TAKING, SAYS_250 };
mtype:relay relay[OUTS] = IDLE;       /* relay.c: RELAYING while there is one, NOTING when 250 is read */
byte taking_alone[OUTS];              /* it has all of the mail, and will not be able to answer */
byte reply_lost[OUTS];                /* copies of which we have not been able to write down that they were accepted */

/* --- what may still happen --- */

byte cuts = CUTS, crashes = CRASHES, restarts = RESTARTS, failures = FAILURES, resends = RESENDS;

hidden byte n, item;
hidden mtype:frame frame;

/* --- the silo client: tmtp_client.c, _inbox.c, _outbox.c, _login.c --- */

inline send_up(kind, what)
{
    if
    :: wire -> assert(nfull(up)); up!kind(what)
    :: else
    fi
}

inline send_down(kind, what)
{
    if
    :: wire -> assert(nfull(down)); down!kind(what)
    :: else
    fi
}

inline drain(channel)
{
    do
    :: nempty(channel) -> channel?frame(item)
    :: empty(channel) -> break
    od;
    frame = 0;
    item = 0
}

/* tmtp_client_ack() */
inline client_ack(id)
{
    if
    :: working == id ->
        working = NOTHING;
        acked = acked | (1 << id);
        if
        :: our_end && working_link -> send_up(DONE, id)
        :: else
        fi;
        working_link = false
    :: else
    fi
}

/* tmtp_client_decline() */
inline client_decline(id)
{
    if
    :: working == id -> working = NOTHING; working_link = false
    :: else
    fi
}

/* poster_on_echo() */
inline take_echo(m)
{
#ifdef BAD_ECHO_ACKED_FIRST
    client_ack(m);
#endif
    if
    :: job[m] == POSTING -> job[m] = SETTLING; echoed[m] = true
    :: job[m] == SETTLING && !echoed[m] -> echoed[m] = true
    :: else -> assert(!late[m]); late[m] = true
    fi
}

/* outbound_on_message() */
inline take_message(j)
{
#ifdef BAD_INBOX_ACKED_FIRST
    client_ack(MESSAGE + j);
#endif
    assert(!arrival[j]);
    arrival[j] = true
}

/* choose_fate(), handle_delivery() */
inline take_delivery(id)
{
    if
#ifdef BAD_REDELIVERY_IGNORED
    :: id < BARRIER && (acked & (1 << id)) -> skip
#else
    :: id < BARRIER && (acked & (1 << id)) -> send_up(DONE, id)
#endif
    :: id == working -> working_link = true
    :: id >= BARRIER ->
        send_up(DONE, id);
        if
#ifdef BAD_ANY_BARRIER
        :: link == SYNCING -> link = ONLINE
#else
        :: link == SYNCING && id == BARRIER + logins -> link = ONLINE
#endif
        :: else
        fi
    :: else ->
        assert(working == NOTHING); /* delivery is stop-and-wait */
        working = id;
        working_link = true;
        if
        :: id < MESSAGE -> take_echo(id)
        :: else -> take_message(id - MESSAGE)
        fi
    fi
}

/* poster_on_result() */
inline take_answer(m)
{
    if
    :: job[m] == POSTING -> job[m] = SETTLING
    :: else /* its echo was faster */
    fi
}

/* poster_return() */
inline commit_returned(m)
{
    assert(copies[m] == 0);
    in_state[m] = RETURNED
}

/* poster_refused(): put off, or given up */
inline take_refusal(m)
{
    if
    :: job[m] == POSTING ->
        if
#ifdef BAD_NEVER_GIVEN_UP
        :: true
#else
        :: in_attempts[m] < ATTEMPTS -> in_attempts[m]++
        :: else -> commit_returned(m)
#endif
        fi;
        job[m] = NO_JOB
    :: else
    fi
}

/* The connection is given up: what was asked over it has no answer. */
inline end_link()
{
    our_end = false;
    link = OFFLINE;
    working_link = false;
    drain(down);
    n = 0;
    do
    :: n < IN ->
#ifdef BAD_LOST_IS_REFUSED
        take_refusal(n);
#else
        if
        :: job[n] == POSTING -> job[n] = NO_JOB
        :: else
        fi;
#endif
        n++
    :: else -> break
    od;
    n = 0
}

inline receive()
{
    down?frame(item);
    if
    :: frame == DELIVERY -> take_delivery(item)
    :: frame == ANSWER -> take_answer(item)
    :: frame == REFUSAL -> take_refusal(item)
    fi;
    frame = 0;
    item = 0
}

#ifdef BAD_EARLY_LOGIN
#define MAY_LOG_IN (!its_end || !wire)
#else
#define MAY_LOG_IN (!its_end)     /* "node already connected" until then */
#endif

active proctype Client()
{
end:
    do
    :: atomic { !our_end && MAY_LOG_IN ->
#ifdef BAD_EARLY_LOGIN
            do
            :: nempty(up) -> up?frame(item); stale!frame(item)
            :: empty(up) -> break
            od;
            frame = 0;
            item = 0;
#endif
            unacked = NOTHING;
            wire = true;
            our_end = true;
            its_end = true;
            logins++;
            send_up(SYNC, logins);
#ifdef BAD_NO_BARRIER
            link = ONLINE
#else
            link = SYNCING
#endif
        }
    :: atomic { our_end && !wire -> end_link() }
    :: atomic { our_end && nempty(down) -> receive() }
    od
}

/* --- the silo --- */

/* All of a post, or nothing: members' copies and ours. */
inline take_post(m)
{
    if
    :: true ->
        assert(copies[m] == 0 && in_state[m] != RETURNED);
        copies[m]++;
#ifndef BAD_NO_ECHO
        assert(nfull(queue));
        queue!m;
#endif
        send_down(ANSWER, m)
    :: in_attempts[m] <= ATTEMPTS -> send_down(REFUSAL, m)
    fi
}

inline take_ack(id)
{
    if
    :: unacked == id -> queue?eval(id); unacked = NOTHING
    :: else
    fi
}

inline hear()
{
    up?frame(item);
    if
    :: frame == POST -> take_post(item)
    :: frame == SYNC -> assert(nfull(queue)); queue!(BARRIER + item)
    :: frame == DONE -> take_ack(item)
    fi;
    frame = 0;
    item = 0
}

inline deliver_first()
{
    queue?<item>;
    unacked = item;
    send_down(DELIVERY, item);
    item = 0
}

/* Nothing of it is on the way, and nobody works on it: the silo's timer is all that can help. */
#define IS_STUCK (unacked != NOTHING && working != unacked && empty(up) && empty(down) && wire)

active proctype Silo()
{
end:
    do
    :: atomic { its_end && nempty(up) -> hear() }
    :: atomic { its_end && unacked == NOTHING && nempty(queue) -> deliver_first() }
    :: atomic { its_end && IS_STUCK -> send_down(DELIVERY, unacked) }
    :: atomic { its_end && resends > 0 && unacked != NOTHING && empty(down) && wire ->
            resends--;
            send_down(DELIVERY, unacked)
        }
    :: atomic { its_end && !wire && nempty(up) -> drain(up); its_end = false; unacked = NOTHING }
    :: atomic { its_end && !wire && empty(up) -> its_end = false; unacked = NOTHING }
#ifdef BAD_EARLY_LOGIN
    :: atomic { nempty(stale) ->
            stale?frame(item);
            if
            :: frame == POST -> assert(copies[item] == 0); copies[item]++; queue!item
            :: else
            fi;
            frame = 0;
            item = 0
        }
#endif
#ifdef BAD_HALF_A_POST
    :: atomic { its_end && up ?? [POST, 0] && restarts > 0 -> /* it ends when the member has their copy, and we have not ours */
            restarts--;
            copies[0]++;
            drain(up);
            wire = false;
            its_end = false;
            unacked = NOTHING
        }
#endif
    od
}

active proctype Member()
{
end:
    do
    :: atomic { written < OUT -> assert(nfull(queue)); queue!(MESSAGE + written); written++ }
    od
}

/* --- mail from outside: its sender, and how it is accepted (inbound_store.c) --- */

inline commit_mail(m)
{
    if
    :: in_state[m] == ABSENT -> in_state[m] = WAITING
#ifdef BAD_NO_DIGEST
    :: else -> in_state[m] = WAITING
#else
    :: else /* a repetition */
#endif
    fi
}

proctype Mail(byte m)
{
end:
    do
    /* the sender, until it is answered */
    :: atomic { session[m] == CLOSED && !answered[m] ->
#ifdef BAD_ANSWERED_FIRST
            orphans[m]++;
            session[m] = REPLY_250
#else
            session[m] = SUBMITTED
#endif
        }
    :: atomic { session[m] == REPLY_250 -> session[m] = CLOSED; answered[m] = true }
    :: atomic { session[m] == REPLY_451 -> session[m] = CLOSED }
    /* the gateway */
    :: atomic { session[m] == SUBMITTED -> commit_mail(m); session[m] = REPLY_250 }
    :: atomic { session[m] == SUBMITTED && failures > 0 -> failures--; session[m] = REPLY_451 }
    :: atomic { orphans[m] > 0 -> commit_mail(m); orphans[m]-- }
    od
}

/* --- the inbound queue: poster.c and its rooms --- */

/* ROUTE_WAIT: it is put off until the thread has its id. Looking again and again in between changes nothing. */
#define HAS_ITS_THREAD(m) (!THREAD || m == 0 || (in_state[0] != WAITING && in_state[0] != ROUTED))

#ifdef BAD_ROUTED_NOT_DUE
#define IS_DUE(m) (in_state[m] == WAITING)
#else
#define IS_DUE(m) (in_state[m] == WAITING || in_state[m] == ROUTED)
#endif

/* poster_settle() */
inline commit_settled(m)
{
    if
    :: in_state[m] == RETURNED
    :: else -> in_state[m] = SETTLED
    fi
}

proctype Poster(byte m)
{
end:
    do
    /* queue.c: what is due is started, while the link is ONLINE */
    :: atomic { link == ONLINE && job[m] == NO_JOB && IS_DUE(m) && HAS_ITS_THREAD(m) -> job[m] = CONVERTING }
    :: atomic { job[m] == CONVERTING ->
            if
            :: in_state[m] == WAITING -> in_state[m] = ROUTED
            :: else
            fi;
            if
            :: link == ONLINE && in_state[m] == ROUTED -> job[m] = POSTING; send_up(POST, m)
            :: else -> job[m] = NO_JOB /* its turn comes again; or is_still_wanted() says no */
            fi
        }
#ifdef BAD_SETTLED_WHEN_POSTED
    :: atomic { job[m] == POSTING -> commit_settled(m); job[m] = NO_JOB }
#endif
    :: atomic { job[m] == SETTLING ->
            commit_settled(m);
            if
            :: echoed[m] -> client_ack(m)
            :: else
            fi;
            echoed[m] = false;
            job[m] = NO_JOB
        }
    /* settled(): it stays under way until that is written down */
    :: atomic { job[m] == SETTLING && failures > 0 ->
            failures--;
#ifdef BAD_UNSETTLED_IS_DUE
            job[m] = NO_JOB;
            if
            :: echoed[m] -> client_ack(m)
            :: else
            fi;
            echoed[m] = false
#endif
        }
    /* an echo without a job */
    :: atomic { late[m] -> commit_settled(m); late[m] = false; client_ack(m) }
    :: atomic { late[m] && failures > 0 -> failures--; late[m] = false; client_decline(m) }
    /* poster_overdue.c: the silo is away for too long */
    :: atomic { AWAY && link != ONLINE && in_state[m] == WAITING && !overdue[m] -> overdue[m] = true }
#ifdef BAD_ROUTED_GIVEN_UP
    :: atomic { AWAY && link != ONLINE && in_state[m] == ROUTED && !overdue[m] -> overdue[m] = true }
    :: atomic { overdue[m] && in_state[m] == ROUTED -> overdue[m] = false; in_state[m] = RETURNED; assert(copies[m] == 0) }
#endif
    :: atomic { overdue[m] ->
            overdue[m] = false;
            if
            :: in_state[m] == WAITING -> commit_returned(m)
            :: else
            fi
        }
    od
}

/* --- the outbound queue: outbound.c, relay.c and its rooms --- */

inline commit_message(j)
{
    if
    :: out_state[j] == ABSENT -> out_state[j] = WAITING
#ifdef BAD_NOT_SEEN
    :: else -> out_state[j] = WAITING
#else
    :: else /* store_seen_tmtp() */
#endif
    fi
}

/* Each copy but one has had its reply lost. */
inline relay_accept(j)
{
    mailed[j]++;
    assert(mailed[j] <= reply_lost[j] + 1)
}

proctype Outbound(byte j)
{
end:
    do
    :: atomic { arrival[j] -> commit_message(j); arrival[j] = false; client_ack(MESSAGE + j) }
    :: atomic { arrival[j] && failures > 0 -> failures--; arrival[j] = false; client_decline(MESSAGE + j) }

    :: atomic { relay[j] == IDLE && out_state[j] == WAITING ->
            relay[j] = TAKING;
#ifdef BAD_NOTED_BEFORE_REPLY
            out_state[j] = SETTLED
#endif
        }
    /* relay_note.c */
    :: atomic { relay[j] == SAYS_250 -> relay[j] = IDLE; assert(mailed[j] > 0); out_state[j] = SETTLED }

    :: atomic { relay[j] == SAYS_250 && failures > 0 ->
            failures--;
#ifdef BAD_UNNOTED_IS_DUE
            relay[j] = IDLE
#endif
        }

    /* the relay */
    :: atomic { relay[j] == TAKING -> relay_accept(j); relay[j] = SAYS_250 }
    :: atomic { relay[j] == TAKING && out_attempts[j] < ATTEMPTS -> relay[j] = IDLE; out_attempts[j]++ } /* 4xx */
    :: atomic { relay[j] == TAKING -> relay[j] = IDLE; out_state[j] = FAILED }                           /* 5xx, or the last */
    :: atomic { taking_alone[j] > 0 -> taking_alone[j]--; reply_lost[j]++; relay_accept(j) }
    :: atomic { taking_alone[j] > 0 -> taking_alone[j]-- }
    od
}

/* --- what goes wrong --- */

inline cut_mail(m)
{
    if
    :: session[m] == SUBMITTED -> orphans[m]++
    :: else
    fi;
    session[m] = CLOSED
}

inline cut_relay(j)
{
    if
    :: relay[j] == TAKING -> taking_alone[j]++
    :: relay[j] == SAYS_250 -> reply_lost[j]++
    :: else
    fi;
    relay[j] = IDLE
}

inline crash()
{
    wire = false;
    our_end = false;
    drain(down);
    link = OFFLINE;
    working = NOTHING;
    working_link = false;
    acked = 0;
    n = 0;
    do
    :: n < IN ->
        session[n] = CLOSED;
        orphans[n] = 0;
        job[n] = NO_JOB;
        echoed[n] = false;
        late[n] = false;
        overdue[n] = false;
#ifdef BAD_FORGETS
        if
        :: in_state[n] == WAITING -> in_state[n] = ABSENT
        :: else
        fi;
#endif
        n++
    :: else -> break
    od;
    n = 0;
    do
    :: n < OUT ->
        cut_relay(n);
        arrival[n] = false;
        n++
    :: else -> break
    od;
    n = 0
}

#define CAN_CUT_MAIL(m) (cuts > 0 && m < IN && session[m] != CLOSED)
#define CAN_CUT_RELAY(j) (cuts > 0 && j < OUT && relay[j] != IDLE)

active proctype Nature()
{
end:
    do
    :: atomic { cuts > 0 && wire -> cuts--; wire = false }
    :: atomic { CAN_CUT_MAIL(0) -> cuts--; cut_mail(0) }
#if IN > 1
    :: atomic { CAN_CUT_MAIL(1) -> cuts--; cut_mail(1) }
#endif
#if OUT > 0
    :: atomic { CAN_CUT_RELAY(0) -> cuts--; cut_relay(0) }
#endif
#if OUT > 1
    :: atomic { CAN_CUT_RELAY(1) -> cuts--; cut_relay(1) }
#endif
    :: atomic { crashes > 0 -> crashes--; crash() }
    :: atomic { restarts > 0 && its_end ->
            restarts--;
            wire = false;
            its_end = false;
            unacked = NOTHING;
            drain(up)
        }
    /* it leaves us alone: what is stuck then stays stuck, and is seen */
    :: atomic { cuts + crashes + restarts + failures + resends > 0 ->
            cuts = 0;
            crashes = 0;
            restarts = 0;
            failures = 0;
            resends = 0
        }
    od
}

/* --- when nothing can happen any more --- */

proctype Judge()
{
    atomic {
        timeout ->
        n = 0;
        do
        :: n < IN ->
            assert(answered[n]);
            assert((in_state[n] == SETTLED && copies[n] == 1) || (in_state[n] == RETURNED && copies[n] == 0));
            assert(job[n] == NO_JOB && !late[n] && orphans[n] == 0);
            n++
        :: else -> break
        od;
        n = 0;
        do
        :: n < OUT ->
            assert((out_state[n] == SETTLED && mailed[n] > 0) || out_state[n] == FAILED);
            assert(relay[n] == IDLE && !arrival[n]);
            n++
        :: else -> break
        od;
        n = 0;
        assert(written == OUT);
        assert(link == ONLINE && empty(queue) && empty(up) && empty(down) && working == NOTHING && unacked == NOTHING)
    }
}

init
{
    atomic {
        n = 0;
        do
        :: n < IN -> run Mail(n); run Poster(n); n++
        :: else -> break
        od;
        n = 0;
        do
        :: n < OUT -> run Outbound(n); n++
        :: else -> break
        od;
        n = 0;
        run Judge()
    }
}
