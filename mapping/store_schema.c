/* store_schema.c - the tables, as migrations from each version to the next
 *
 * A migration runs in one transaction and ends by setting user_version. One that was ever released is never changed.
 * Times are milliseconds since 1970. States and kinds are words, so that a shell on the database explains itself.
 */
#include "mapping/store_internal.h"

/* The conditions of the partial indexes are written with OR, word for word as in the statements that use them: that is
 * what the query planner recognises. Settled entries are in none of these indexes. */
#define UNSETTLED "(state = 'waiting' OR state = 'routed' OR state = 'held' OR state = 'dropped' OR state = 'pending')"
#define LIVE      "(state = 'waiting' OR state = 'routed' OR state = 'held')"
#define SCHEDULED "(state = 'waiting' OR state = 'routed')"

#define VERSION_1_PEOPLE                                                                                                                                                                             \
    "CREATE TABLE account ("                                                                                                                                                                         \
    "  silo TEXT NOT NULL PRIMARY KEY,"                                                                                                                                                              \
    "  pin TEXT,"                                                                                                                                                                                    \
    "  uid TEXT,"                                                                                                                                                                                    \
    "  node TEXT,"                                                                                                                                                                                   \
    "  alias TEXT"                                                                                                                                                                                   \
    ") STRICT;"                                                                                                                                                                                      \
    "CREATE TABLE secret (" /* for signing; see store_secret.h */                                                                                                                                    \
    "  name TEXT NOT NULL PRIMARY KEY,"                                                                                                                                                              \
    "  value BLOB NOT NULL CHECK (length(value) = 32)"                                                                                                                                               \
    ") STRICT, WITHOUT ROWID;"                                                                                                                                                                       \
    "CREATE TABLE member ("                                                                                                                                                                          \
    "  id INTEGER PRIMARY KEY,"                                                                                                                                                                      \
    "  alias TEXT NOT NULL UNIQUE,"                                                                                                                                                                  \
    "  uid TEXT,"                                                                                                                                                                                    \
    "  local_part TEXT NOT NULL UNIQUE,"                                                                                                                                                             \
    "  greeted_at INTEGER NOT NULL DEFAULT 0,"                                                                                                                                                       \
    "  wants_reports INTEGER NOT NULL DEFAULT 0 CHECK (wants_reports IN (0, 1)),"                                                                                                                    \
    "  removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),"                                                                                                                                \
    "  created_at INTEGER NOT NULL"                                                                                                                                                                  \
    ") STRICT;"                                                                                                                                                                                      \
    "CREATE UNIQUE INDEX member_uid ON member (uid) WHERE removed = 0;"                                                                                                                              \
    "CREATE TABLE group_ ("                                                                                                                                                                          \
    "  id INTEGER PRIMARY KEY,"                                                                                                                                                                      \
    "  gid TEXT NOT NULL UNIQUE,"                                                                                                                                                                    \
    "  local_part TEXT UNIQUE," /* given when the gateway is to join */                                                                                                                              \
    "  state TEXT NOT NULL CHECK (state IN ('invited', 'accepted', 'joined', 'leaving', 'left', 'dropped')),"                                                                                        \
    "  own_alias TEXT NOT NULL,"                                                                                                                                                                     \
    "  inviter_alias TEXT NOT NULL,"                                                                                                                                                                 \
    "  inviter_uid TEXT NOT NULL,"                                                                                                                                                                   \
    "  created_at INTEGER NOT NULL,"                                                                                                                                                                 \
    "  changed_at INTEGER NOT NULL"                                                                                                                                                                  \
    ") STRICT;"                                                                                                                                                                                      \
    "CREATE INDEX group_chore ON group_ (id) WHERE (state = 'accepted' OR state = 'leaving');"                                                                                                       \
    "CREATE TABLE group_member ("                                                                                                                                                                    \
    "  group_id INTEGER NOT NULL REFERENCES group_ (id),"                                                                                                                                            \
    "  alias TEXT NOT NULL,"                                                                                                                                                                         \
    "  uid TEXT,"                                                                                                                                                                                    \
    "  state TEXT NOT NULL CHECK (state IN ('invited', 'joined', 'dropped')),"                                                                                                                       \
    "  PRIMARY KEY (group_id, alias)"                                                                                                                                                                \
    ") STRICT, WITHOUT ROWID;"                                                                                                                                                                       \
    "CREATE INDEX group_member_uid ON group_member (group_id, uid) WHERE uid IS NOT NULL;"                                                                                                           \
    "CREATE TABLE address (" /* every local part that was ever given: old ones still deliver */                                                                                                      \
    "  local_part TEXT NOT NULL PRIMARY KEY,"                                                                                                                                                        \
    "  member_id INTEGER REFERENCES member (id),"                                                                                                                                                    \
    "  group_id INTEGER REFERENCES group_ (id),"                                                                                                                                                     \
    "  CHECK ((member_id IS NULL) <> (group_id IS NULL))"                                                                                                                                            \
    ") STRICT, WITHOUT ROWID;"                                                                                                                                                                       \
    "CREATE INDEX address_member ON address (member_id) WHERE member_id IS NOT NULL;"                                                                                                                \
    "CREATE INDEX address_group ON address (group_id) WHERE group_id IS NOT NULL;"                                                                                                                   \
    "CREATE TABLE identity ("                                                                                                                                                                        \
    "  alias TEXT NOT NULL PRIMARY KEY,"                                                                                                                                                             \
    "  uid TEXT NOT NULL,"                                                                                                                                                                           \
    "  source TEXT NOT NULL CHECK (source IN ('ping', 'invite', 'group', 'message', 'participants')),"                                                                                               \
    "  seen_at INTEGER NOT NULL"                                                                                                                                                                     \
    ") STRICT, WITHOUT ROWID;"                                                                                                                                                                       \
    "CREATE INDEX identity_uid ON identity (uid);"                                                                                                                                                   \
    "CREATE INDEX member_ungreeted ON member (id) WHERE uid IS NULL AND greeted_at = 0 AND removed = 0;"                                                                                             \
    "CREATE TABLE correspondent ("                                                                                                                                                                   \
    "  id INTEGER PRIMARY KEY,"                                                                                                                                                                      \
    "  address TEXT NOT NULL UNIQUE,"                                                                                                                                                                \
    "  alias TEXT UNIQUE,"                                                                                                                                                                           \
    "  alias_form INTEGER NOT NULL DEFAULT 0," /* without an alias: the form that was asked for last */                                                                                              \
    "  wants_alias INTEGER NOT NULL DEFAULT 0 CHECK (wants_alias IN (0, 1))," /* let in by a pattern */                                                                                              \
    "  created_at INTEGER NOT NULL"                                                                                                                                                                  \
    ") STRICT;"                                                                                                                                                                                      \
    "CREATE INDEX correspondent_without_alias ON correspondent (id) WHERE alias IS NULL;"                                                                                                            \
    "CREATE TABLE mapping ("                                                                                                                                                                         \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never given twice: people say these numbers, perhaps much later */                                                                                  \
    "  subject TEXT NOT NULL,"                /* see subject.h */                                                                                                                                    \
    "  correspondent_id INTEGER REFERENCES correspondent (id)," /* null: a pattern */                                                                                                                \
    "  member_id INTEGER REFERENCES member (id),"                                                                                                                                                    \
    "  group_id INTEGER REFERENCES group_ (id)," /* neither: all members */                                                                                                                          \
    "  state TEXT NOT NULL"                                                                                                                                                                          \
    "    CHECK (state IN ('requested', 'approved', 'denied', 'suspended', 'revoked', 'expired')),"                                                                                                   \
    "  superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),"                                                                                                                          \
    "  direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'both')),"                                                                                                                          \
    "  expires_at INTEGER NOT NULL DEFAULT 0,"                                                                                                                                                       \
    "  max_size INTEGER NOT NULL DEFAULT 0,"                                                                                                                                                         \
    "  daily INTEGER NOT NULL DEFAULT 0,"                                                                                                                                                            \
    "  attachments TEXT NOT NULL DEFAULT 'yes'," /* see gateway/attachment_rule.h */                                                                                                                 \
    "  proof TEXT NOT NULL DEFAULT 'default' CHECK (proof IN ('default', 'dmarc', 'dkim', 'none')),"                                                                                                 \
    "  subaddresses INTEGER NOT NULL DEFAULT 0 CHECK (subaddresses IN (0, 1)),"                                                                                                                      \
    "  note TEXT NOT NULL DEFAULT '',"                                                                                                                                                               \
    "  created_at INTEGER NOT NULL,"                                                                                                                                                                 \
    "  created_by TEXT NOT NULL DEFAULT '',"                                                                                                                                                         \
    "  created_via TEXT NOT NULL DEFAULT ''," /* a channel of the audit log */                                                                                                                       \
    "  decided_at INTEGER NOT NULL DEFAULT 0,"                                                                                                                                                       \
    "  decided_by TEXT NOT NULL DEFAULT '',"                                                                                                                                                         \
    "  reason TEXT NOT NULL DEFAULT '',"                                                                                                                                                             \
    "  was_suspended INTEGER NOT NULL DEFAULT 0 CHECK (was_suspended IN (0, 1))," /* when its time was over */                                                                                       \
    "  invites INTEGER NOT NULL DEFAULT 0 CHECK (invites IN (0, 1)),"                                                                                                                                \
    "  invitation_id INTEGER," /* of outbound: the mail that has told the subject, once */                                                                                                           \
    "  announced INTEGER NOT NULL DEFAULT 0 CHECK (announced IN (0, 1)),"                                                                                                                            \
    "  CHECK (member_id IS NULL OR group_id IS NULL)"                                                                                                                                                \
    ") STRICT;" /* What an author is looked up by. lower() folds ASCII only. */                                                                                                                      \
    "CREATE INDEX mapping_candidate ON mapping"                                                                                                                                                      \
    "  (lower(subject), coalesce(member_id, 0), coalesce(group_id, 0), superseded);"                                                                                                                 \
    "CREATE INDEX mapping_correspondent ON mapping (correspondent_id) WHERE correspondent_id IS NOT NULL;"                                                                                           \
    "CREATE UNIQUE INDEX mapping_live ON mapping (subject, coalesce(member_id, 0), coalesce(group_id, 0))"                                                                                           \
    "  WHERE state IN ('requested', 'approved', 'suspended');"                                                                                                                                       \
    "CREATE INDEX mapping_target ON mapping (coalesce(member_id, 0), coalesce(group_id, 0), state);"                                                                                                 \
    "CREATE INDEX mapping_ending ON mapping (expires_at)"                                                                                                                                            \
    "  WHERE expires_at <> 0 AND state IN ('approved', 'suspended');"                                                                                                                                \
    "CREATE INDEX mapping_requested ON mapping (id) WHERE state = 'requested';" /* For store_mapping_list() alone: as an expression no other query that names states prefers it to its own index. */ \
    "CREATE INDEX mapping_state ON mapping ('' || state);"                                                                                                                                           \
    "CREATE INDEX mapping_unannounced ON mapping (id) WHERE state = 'approved' AND announced = 0;"                                                                                                   \
    "CREATE INDEX mapping_uninvited ON mapping (id)"                                                                                                                                                 \
    "  WHERE invites = 1 AND invitation_id IS NULL AND state = 'approved';"                                                                                                                          \
    "CREATE INDEX mapping_invitation ON mapping (invitation_id) WHERE invitation_id IS NOT NULL;"

/* Whom somebody may write to now or may have until a mapping expires, as gateway/policy.c judges it at RCPT; for Postfix
 * (store_recipients.h) and for people with a shell. The count grows with every change that could change it. */
#define VERSION_1_RECIPIENTS                                                                                           \
    "CREATE VIEW open_recipient AS"                                                                                    \
    "  SELECT local_part, CASE WHEN min(expires_at) = 0 THEN 0 ELSE max(expires_at) END AS expires_at FROM ("          \
    "   SELECT address.local_part AS local_part, mapping.expires_at AS expires_at"                                     \
    "    FROM address JOIN member ON member.id = address.member_id"                                                    \
    "    JOIN mapping ON coalesce(mapping.member_id, 0) = address.member_id AND coalesce(mapping.group_id, 0) = 0"     \
    "    WHERE member.removed = 0 AND member.uid IS NOT NULL"                                                          \
    "    AND mapping.state = 'approved' AND mapping.direction IN ('in', 'both')"                                       \
    "   UNION ALL" /* Those that are for all members count as one, however many they are. */                           \
    "   SELECT address.local_part, everybody.expires_at"                                                               \
    "    FROM (SELECT count(*) AS count, CASE WHEN min(expires_at) = 0 THEN 0 ELSE max(expires_at) END AS expires_at"  \
    "     FROM mapping WHERE coalesce(member_id, 0) = 0 AND coalesce(group_id, 0) = 0"                                 \
    "     AND state = 'approved' AND direction IN ('in', 'both')) AS everybody"                                        \
    "    JOIN address JOIN member ON member.id = address.member_id"                                                    \
    "    WHERE everybody.count > 0 AND member.removed = 0 AND member.uid IS NOT NULL"                                  \
    "   UNION ALL"                                                                                                     \
    "   SELECT address.local_part, mapping.expires_at"                                                                 \
    "    FROM address JOIN group_ ON group_.id = address.group_id"                                                     \
    "    JOIN mapping ON coalesce(mapping.member_id, 0) = 0 AND coalesce(mapping.group_id, 0) = address.group_id"      \
    "    WHERE group_.state = 'joined'"                                                                                \
    "    AND mapping.state = 'approved' AND mapping.direction IN ('in', 'both')"                                       \
    "  ) GROUP BY local_part;"                                                                                         \
    "CREATE TABLE recipient_change ("                                                                                  \
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"                                                                         \
    "  count INTEGER NOT NULL"                                                                                         \
    ") STRICT;"                                                                                                        \
    "INSERT INTO recipient_change (id, count) VALUES (1, 0);" COUNT_CHANGES("address_given", "INSERT ON address")      \
        COUNT_CHANGES("member_changed", "UPDATE OF uid, removed ON member")                                            \
            COUNT_CHANGES("group_changed", "UPDATE OF state ON group_")                                                \
                COUNT_CHANGES("mapping_added", "INSERT ON mapping")                                                    \
                    COUNT_CHANGES("mapping_changed", "UPDATE OF state, direction, expires_at ON mapping")
#define COUNT_CHANGES(name, event)                                                                                     \
    "CREATE TRIGGER " name "_counted AFTER " event " BEGIN"                                                            \
    "  UPDATE recipient_change SET count = count + 1 WHERE id = 1;"                                                    \
    "END;"

#define VERSION_1_CONVERSATIONS                                                                                        \
    "CREATE TABLE thread ("                                                                                            \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  threadid TEXT UNIQUE,"                                                                                          \
    "  subject TEXT NOT NULL DEFAULT '',"                                                                              \
    "  created_at INTEGER NOT NULL"                                                                                    \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE thread_party ("                                                                                      \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  thread_id INTEGER NOT NULL REFERENCES thread (id),"                                                             \
    "  member_id INTEGER REFERENCES member (id),"                                                                      \
    "  correspondent_id INTEGER REFERENCES correspondent (id),"                                                        \
    "  group_id INTEGER REFERENCES group_ (id),"                                                                       \
    "  alias TEXT NOT NULL,"                                                                                           \
    "  uid TEXT NOT NULL,"                                                                                             \
    "  UNIQUE (thread_id, alias, uid)"                                                                                 \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE thread_named (" /* whom a mail was for as well, and its readers were told: store_named.h */          \
    "  thread_id INTEGER NOT NULL REFERENCES thread (id) ON DELETE CASCADE,"                                           \
    "  address TEXT NOT NULL,"                                                                                         \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  PRIMARY KEY (thread_id, address)"                                                                               \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE TABLE thread_excerpt (" /* of the last mail, to be quoted in answers */                                    \
    "  thread_id INTEGER PRIMARY KEY REFERENCES thread (id) ON DELETE CASCADE,"                                        \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  author_name TEXT NOT NULL,"                                                                                     \
    "  text TEXT NOT NULL,"                                                                                            \
    "  received_at INTEGER NOT NULL"                                                                                   \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX thread_excerpt_age ON thread_excerpt (received_at);"                                                 \
    "CREATE TABLE content ("                                                                                           \
    "  id INTEGER PRIMARY KEY," /* given by store_content.c */                                                         \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  file TEXT," /* the name of large content's, in content/ */                                                      \
    "  data BLOB,"                                                                                                     \
    "  CHECK ((file IS NULL) <> (data IS NULL))"                                                                       \
    ") STRICT;"                                                                                                        \
    "CREATE UNIQUE INDEX content_file ON content (file) WHERE file IS NOT NULL;"

#define VERSION_1_QUEUES                                                                                               \
    "CREATE TABLE inbound ("                                                                                           \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  kind TEXT NOT NULL CHECK (kind IN ('mail', 'notice', 'returned')),"                                             \
    "  state TEXT NOT NULL"                                                                                            \
    "    CHECK (state IN ('waiting', 'routed', 'held', 'settled', 'dropped', 'pending')),"                             \
    "  sender TEXT NOT NULL,"                                                                                          \
    "  from_address TEXT NOT NULL,"                                                                                    \
    "  correspondent_id INTEGER REFERENCES correspondent (id),"                                                        \
    "  message_id TEXT,"                                                                                               \
    "  digest BLOB," /* of what makes a mail with a Message-ID the same mail, but for its envelope */                  \
    "  reference_ids TEXT NOT NULL DEFAULT '',"                                                                        \
    "  is_automatic INTEGER NOT NULL,"               /* not to be answered by a program */                             \
    "  is_generated INTEGER NOT NULL DEFAULT 0,"     /* written by one */                                              \
    "  is_sender_proven INTEGER NOT NULL DEFAULT 0," /* the envelope's: may be sent reports */                         \
    "  ret TEXT CHECK (ret IN ('full', 'hdrs')),"                                                                      \
    "  envid TEXT,"         /* xtext */                                                                                \
    "  content_id INTEGER," /* of content, which nobody else refers to */                                              \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  thread_id INTEGER REFERENCES thread (id),"                                                                      \
    "  threadid TEXT," /* of a notice in a thread that is not ours: as its reader named it */                          \
    "  subject TEXT,"                                                                                                  \
    "  about_outbound_id INTEGER REFERENCES outbound (id),"                                                            \
    "  about_place INTEGER NOT NULL DEFAULT 0,"            /* of what came back: the recipient of that, from 1 */      \
    "  answer_mapping_id INTEGER REFERENCES mapping (id)," /* that lets it in as an answer */                          \
    "  is_answer INTEGER NOT NULL DEFAULT 0,"              /* and no report; its author was told, or has it */         \
    "  received_at INTEGER NOT NULL,"                                                                                  \
    "  next_attempt_at INTEGER NOT NULL,"                                                                              \
    "  attempts INTEGER NOT NULL DEFAULT 0,"                                                                           \
    "  delay_awaited INTEGER NOT NULL DEFAULT 0," /* NOTIFY=DELAY, and the sender has not been told of one */          \
    "  last_error TEXT NOT NULL DEFAULT ''"                                                                            \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX inbound_due ON inbound (next_attempt_at, id) WHERE kind <> 'returned' AND " SCHEDULED ";"            \
    "CREATE INDEX inbound_returned_due ON inbound (next_attempt_at, id) WHERE kind = 'returned' AND " SCHEDULED ";"    \
    "CREATE INDEX inbound_live ON inbound (state, id) WHERE " UNSETTLED ";"                                            \
    "CREATE INDEX inbound_delay ON inbound (received_at) WHERE delay_awaited = 1 AND " LIVE ";"                        \
    "CREATE INDEX inbound_message_id ON inbound (message_id, digest) WHERE message_id IS NOT NULL;"                    \
    "CREATE INDEX inbound_from ON inbound (correspondent_id, received_at) WHERE correspondent_id IS NOT NULL;"         \
    "CREATE INDEX inbound_about ON inbound (about_outbound_id) WHERE about_outbound_id IS NOT NULL;"                   \
    "CREATE INDEX inbound_answer ON inbound (about_outbound_id, received_at) WHERE is_answer = 1;"                     \
    "CREATE TABLE inbound_recipient ("                                                                                 \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  member_id INTEGER REFERENCES member (id),"                                                                      \
    "  group_id INTEGER REFERENCES group_ (id),"                                                                       \
    "  uid TEXT," /* neither: somebody of the silo who is told something */                                            \
    "  alias TEXT,"                                                                                                    \
    "  mapping_id INTEGER REFERENCES mapping (id),"                                                                    \
    "  address TEXT," /* as in RCPT */                                                                                 \
    "  notify TEXT,"                                                                                                   \
    "  orcpt TEXT,"                            /* xtext */                                                             \
    "  is_skipped INTEGER NOT NULL DEFAULT 0," /* not posted to: the mapping was revoked since */                      \
    "  CHECK ((member_id IS NOT NULL) + (group_id IS NOT NULL) + (uid IS NOT NULL) = 1)"                               \
    ") STRICT;"                                                                                                        \
    "CREATE UNIQUE INDEX inbound_recipient_once ON inbound_recipient"                                                  \
    "  (inbound_id, coalesce(member_id, 0), coalesce(group_id, 0), coalesce(uid, ''));"                                \
    "CREATE INDEX inbound_recipient_uid ON inbound_recipient (uid) WHERE uid IS NOT NULL;"                             \
    "CREATE INDEX inbound_recipient_mapping ON inbound_recipient (mapping_id, inbound_id) WHERE mapping_id IS NOT "    \
    "NULL;"                                                                                                            \
    "CREATE TABLE inbound_refusal (" /* whose sender was told in a report, of a mail that was taken for others */      \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  member_id INTEGER REFERENCES member (id),"                                                                      \
    "  group_id INTEGER REFERENCES group_ (id)"                                                                        \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX inbound_refusal_of ON inbound_refusal (inbound_id);"                                                 \
    "CREATE TABLE outbound ("                                                                                          \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  kind TEXT NOT NULL CHECK (kind IN ('message', 'forward', 'files', 'report', 'invitation')),"                    \
    "  state TEXT NOT NULL CHECK (state IN ('waiting', 'routed', 'held', 'settled', 'dropped')),"                      \
    "  tmtp_msgid TEXT NOT NULL,"                                                                                      \
    "  thread_id INTEGER REFERENCES thread (id),"                                                                      \
    "  member_id INTEGER REFERENCES member (id),"                                                                      \
    "  group_id INTEGER REFERENCES group_ (id),"                                                                       \
    "  author_uid TEXT NOT NULL,"                                                                                      \
    "  author_alias TEXT NOT NULL,"                                                                                    \
    "  message_id TEXT NOT NULL,"                                                                                      \
    "  head TEXT NOT NULL,"                                                                                            \
    "  content_id INTEGER," /* of content, which nobody else refers to */                                              \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  forward_id INTEGER REFERENCES outbound (id),"      /* of files: the thread that they belong to */               \
    "  about_inbound_id INTEGER REFERENCES inbound (id)," /* of a report */                                            \
    "  is_8bit INTEGER NOT NULL DEFAULT 0,"                                                                            \
    "  is_smtputf8 INTEGER NOT NULL DEFAULT 0,"                                                                        \
    "  signature TEXT NOT NULL DEFAULT '',"         /* of the mail: fields that go in front of it */                   \
    "  wants_reports INTEGER NOT NULL DEFAULT 0,"   /* the author, when it was taken */                                \
    "  warned_at INTEGER NOT NULL DEFAULT 0,"       /* when the author was told that it is late */                     \
    "  parking_told_at INTEGER NOT NULL DEFAULT 0," /* likewise, that it waits for an administrator */                 \
    "  awaits_relay INTEGER NOT NULL DEFAULT 0,"    /* could not be tried: due at once when a relay is up again */     \
    "  posted_at INTEGER NOT NULL,"                                                                                    \
    "  received_at INTEGER NOT NULL,"                                                                                  \
    "  next_attempt_at INTEGER NOT NULL,"                                                                              \
    "  attempts INTEGER NOT NULL DEFAULT 0,"                                                                           \
    "  last_error TEXT NOT NULL DEFAULT ''"                                                                            \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX outbound_due ON outbound (next_attempt_at, id) WHERE " SCHEDULED ";"                                 \
    "CREATE INDEX outbound_live ON outbound (state, id) WHERE " UNSETTLED ";"                                          \
    "CREATE INDEX outbound_awaiting ON outbound (id) WHERE awaits_relay = 1 AND " SCHEDULED ";"                        \
    "CREATE INDEX outbound_files ON outbound (forward_id) WHERE forward_id IS NOT NULL;"                               \
    "CREATE INDEX outbound_tmtp_msgid ON outbound (tmtp_msgid);"                                                       \
    "CREATE INDEX outbound_about ON outbound (about_inbound_id) WHERE about_inbound_id IS NOT NULL;"                   \
    "CREATE INDEX outbound_report ON outbound (message_id) WHERE kind = 'report';"                                     \
    "CREATE TABLE outbound_recipient ("                                                                                \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  outbound_id INTEGER NOT NULL REFERENCES outbound (id),"                                                         \
    "  correspondent_id INTEGER REFERENCES correspondent (id),"                                                        \
    "  address TEXT,"                            /* of a report's recipient, who need not be a correspondent */        \
    "  group_id INTEGER REFERENCES group_ (id)," /* under whose mapping; none: the author's own */                     \
    "  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),"                     \
    "  reply TEXT NOT NULL DEFAULT '',"                                                                                \
    "  relay TEXT NOT NULL DEFAULT ''," /* that gave it; none: nobody was asked */                                     \
    "  UNIQUE (outbound_id, correspondent_id),"                                                                        \
    "  CHECK ((correspondent_id IS NULL) <> (address IS NULL))"                                                        \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX outbound_recipient_address ON outbound_recipient (address) WHERE address IS NOT NULL;"               \
    "CREATE TABLE recipient_report (" /* what came back about a recipient: each told once */                           \
    "  recipient_id INTEGER NOT NULL REFERENCES outbound_recipient (id),"                                              \
    "  action TEXT NOT NULL CHECK (action IN ('failed', 'delayed', 'delivered', 'relayed', 'expanded')),"              \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  status TEXT NOT NULL,"                                                                                          \
    "  reported_at INTEGER NOT NULL,"                                                                                  \
    "  PRIMARY KEY (recipient_id, action)"                                                                             \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE TABLE forward_message ("                                                                                   \
    "  outbound_id INTEGER NOT NULL REFERENCES outbound (id),"                                                         \
    "  seq INTEGER NOT NULL,"                                                                                          \
    "  msgid TEXT NOT NULL,"                                                                                           \
    "  author_uid TEXT NOT NULL,"                                                                                      \
    "  author_alias TEXT NOT NULL,"                                                                                    \
    "  posted_at INTEGER NOT NULL,"                                                                                    \
    "  body_offset INTEGER NOT NULL,"                                                                                  \
    "  body_size INTEGER NOT NULL,"                                                                                    \
    "  attachments TEXT NOT NULL,"                                                                                     \
    "  PRIMARY KEY (outbound_id, seq)"                                                                                 \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE INDEX forward_awaited ON forward_message (msgid) WHERE attachments <> '';"                                 \
    "CREATE TABLE settled ("                                                                                           \
    "  queue TEXT NOT NULL,"                                                                                           \
    "  count INTEGER NOT NULL,"                                                                                        \
    "  PRIMARY KEY (queue)"                                                                                            \
    ") STRICT;"                                                                                                        \
    "INSERT INTO settled (queue, count) VALUES ('in', 0), ('out', 0);"

/* Mail that awaits an approval, or its opening after one: gateway/hold.h. What is here, and in its entry, says who wrote to
 * whom, when and how much; what it says is sealed. */
#define VERSION_1_HELD                                                                                                 \
    "CREATE TABLE held ("                                                                                              \
    "  inbound_id INTEGER PRIMARY KEY REFERENCES inbound (id),"                                                        \
    "  author TEXT NOT NULL,"                                                                                          \
    "  domain TEXT NOT NULL,"                                                                                          \
    "  member_id INTEGER REFERENCES member (id),"                                                                      \
    "  group_id INTEGER REFERENCES group_ (id),"                                                                       \
    "  request_id INTEGER REFERENCES mapping (id)," /* which was made for it, or was there */                          \
    "  key_id TEXT NOT NULL,"                                                                                          \
    "  repetition BLOB NOT NULL," /* keyed, of what makes a mail the same mail */                                      \
    "  facts BLOB NOT NULL,"      /* sealed */                                                                         \
    "  proof TEXT NOT NULL,"      /* how its author was proven */                                                      \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  expires_at INTEGER NOT NULL,"                                                                                   \
    "  released_at INTEGER NOT NULL DEFAULT 0,"                                                                        \
    "  is_once INTEGER NOT NULL DEFAULT 0," /* released without a mapping */                                           \
    "  CHECK ((member_id IS NULL) <> (group_id IS NULL))"                                                              \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX held_expiry ON held (expires_at) WHERE released_at = 0;"                                             \
    "CREATE INDEX held_released ON held (released_at, inbound_id) WHERE released_at <> 0;"                             \
    "CREATE INDEX held_repetition ON held (repetition);"                                                               \
    "CREATE INDEX held_author ON held (author);"                                                                       \
    "CREATE INDEX held_domain ON held (domain);"                                                                       \
    "CREATE INDEX held_request ON held (request_id);"                                                                  \
    "CREATE INDEX held_key ON held (key_id);"                                                                          \
    "CREATE TABLE first_contact (" /* of an author's first held mail a member is told, once */                         \
    "  author TEXT NOT NULL,"                                                                                          \
    "  member_id INTEGER NOT NULL REFERENCES member (id),"                                                             \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  created_at INTEGER NOT NULL,"                                                                                   \
    "  is_due INTEGER NOT NULL CHECK (is_due IN (0, 1)),"                                                              \
    "  PRIMARY KEY (author, member_id)"                                                                                \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE INDEX first_contact_due ON first_contact (created_at) WHERE is_due = 1;"                                   \
    "CREATE INDEX first_contact_member ON first_contact (member_id, created_at);"

#define VERSION_1_MEMORY                                                                                               \
    "CREATE TABLE message ("                                                                                           \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  thread_id INTEGER NOT NULL REFERENCES thread (id),"                                                             \
    "  message_id TEXT,"                                                                                               \
    "  tmtp_msgid TEXT,"                                                                                               \
    "  inbound_id INTEGER REFERENCES inbound (id),"                                                                    \
    "  outbound_id INTEGER REFERENCES outbound (id),"                                                                  \
    "  created_at INTEGER NOT NULL"                                                                                    \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX message_thread ON message (thread_id);"                                                              \
    "CREATE INDEX message_message_id ON message (message_id) WHERE message_id IS NOT NULL;"                            \
    "CREATE INDEX message_tmtp_msgid ON message (tmtp_msgid) WHERE tmtp_msgid IS NOT NULL;"                            \
    "CREATE INDEX message_inbound ON message (inbound_id) WHERE inbound_id IS NOT NULL;"                               \
    "CREATE TABLE trace ("                                                                                             \
    "  id INTEGER PRIMARY KEY," /* of the entry with its queue, then the number of the event: store_trace.c */         \
    "  at INTEGER NOT NULL,"                                                                                           \
    "  event TEXT NOT NULL,"                                                                                           \
    "  detail TEXT NOT NULL,"                                                                                          \
    "  queue TEXT AS (CASE id >> 20 & 1 WHEN 0 THEN 'in' ELSE 'out' END),"                                             \
    "  queue_id INTEGER AS (id >> 21)"                                                                                 \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE seen_tmtp ("                                                                                         \
    "  msgid TEXT NOT NULL PRIMARY KEY,"                                                                               \
    "  seen_at INTEGER NOT NULL"                                                                                       \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE INDEX seen_tmtp_age ON seen_tmtp (seen_at);"

/* Who did what, for ever; see store_audit.h. */
#define VERSION_1_AUDIT                                                                                                \
    "CREATE TABLE audit ("                                                                                             \
    "  id INTEGER PRIMARY KEY," /* without gaps, from 1 */                                                             \
    "  at INTEGER NOT NULL,"                                                                                           \
    "  actor TEXT NOT NULL,"                                                                                           \
    "  channel TEXT NOT NULL CHECK (channel IN ('cli', 'silo', 'web', 'mail', 'gateway')),"                            \
    "  action TEXT NOT NULL,"                                                                                          \
    "  object TEXT NOT NULL,"                                                                                          \
    "  before TEXT NOT NULL,"                                                                                          \
    "  after TEXT NOT NULL,"                                                                                           \
    "  reason TEXT NOT NULL,"                                                                                          \
    "  hash TEXT NOT NULL CHECK (length(hash) = 64)"                                                                   \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX audit_at ON audit (at);"                                                                             \
    "CREATE INDEX audit_object ON audit (object, id);"                                                                 \
    "CREATE TRIGGER audit_kept BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;" \
    "CREATE TRIGGER audit_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); "    \
    "END;"

/* What the admins in the silo are to be told and were told, and how often somebody has said something; see store_admin.h. */
#define VERSION_1_ADMINS                                                                                               \
    "CREATE TABLE admin_event ("                                                                                       \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never given twice: admins were told up to one of them */              \
    "  kind TEXT NOT NULL CHECK (kind IN ('requested', 'suspended')),"                                                 \
    "  mapping_id INTEGER NOT NULL REFERENCES mapping (id),"                                                           \
    "  at INTEGER NOT NULL,"                                                                                           \
    "  UNIQUE (kind, mapping_id)"                                                                                      \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE admin ("                                                                                             \
    "  alias TEXT NOT NULL PRIMARY KEY,"                                                                               \
    "  asked_at INTEGER NOT NULL DEFAULT 0,"                                                                           \
    "  told_at INTEGER NOT NULL DEFAULT 0,"                                                                            \
    "  told_event INTEGER NOT NULL DEFAULT 0"                                                                          \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE TABLE spoken ("                                                                                            \
    "  uid TEXT NOT NULL,"                                                                                             \
    "  what TEXT NOT NULL CHECK (what IN ('unclear', 'request')),"                                                     \
    "  since INTEGER NOT NULL,"                                                                                        \
    "  count INTEGER NOT NULL,"                                                                                        \
    "  PRIMARY KEY (uid, what)"                                                                                        \
    ") STRICT, WITHOUT ROWID;"

/* What is spent of allowances; see store_bucket.h. */
#define VERSION_1_BUCKETS                                                                                              \
    "CREATE TABLE bucket ("                                                                                            \
    "  kind TEXT NOT NULL,"                                                                                            \
    "  name TEXT NOT NULL,"                                                                                            \
    "  whole_at INTEGER NOT NULL," /* microseconds since 1970 */                                                       \
    "  PRIMARY KEY (kind, name)"                                                                                       \
    ") STRICT, WITHOUT ROWID;"

/* What was refused before there was an entry for it; see store_refusal.h. */
#define VERSION_1_REFUSALS                                                                                             \
    "CREATE TABLE refusal ("                                                                                           \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  owner TEXT NOT NULL,"   /* in whose share it counts */                                                          \
    "  pair INTEGER NOT NULL," /* of what repetitions have in common */                                                \
    "  first_at INTEGER NOT NULL,"                                                                                     \
    "  at INTEGER NOT NULL,"                                                                                           \
    "  count INTEGER NOT NULL,"                                                                                        \
    "  place TEXT NOT NULL,"                                                                                           \
    "  session TEXT NOT NULL,"                                                                                         \
    "  transaction_id TEXT NOT NULL,"                                                                                  \
    "  client TEXT NOT NULL,"                                                                                          \
    "  via TEXT NOT NULL,"                                                                                             \
    "  sender TEXT NOT NULL,"                                                                                          \
    "  author TEXT NOT NULL,"                                                                                          \
    "  recipient TEXT NOT NULL,"                                                                                       \
    "  message_id TEXT NOT NULL,"                                                                                      \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  code INTEGER NOT NULL,"                                                                                         \
    "  reply TEXT NOT NULL,"                                                                                           \
    "  reason TEXT NOT NULL,"                                                                                          \
    "  proof TEXT NOT NULL,"                                                                                           \
    "  inbound_id INTEGER NOT NULL,"                                                                                   \
    "  whose TEXT AS (lower(CASE author WHEN '' THEN sender ELSE author END))"                                         \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX refusal_at ON refusal (at);"                                                                         \
    "CREATE INDEX refusal_owner ON refusal (owner, at);"                                                               \
    "CREATE INDEX refusal_pair ON refusal (pair, at);"                                                                 \
    "CREATE INDEX refusal_session ON refusal (session, at) WHERE session <> '';"                                       \
    "CREATE INDEX refusal_message ON refusal (message_id, at) WHERE message_id <> '';"                                 \
    "CREATE INDEX refusal_whose ON refusal (whose, at) WHERE whose <> '';"

/* What went through in each ten minutes; see store_history.h. */
#define VERSION_1_HISTORY                                                                                              \
    "CREATE TABLE history ("                                                                                           \
    "  at INTEGER PRIMARY KEY,"                                                                                        \
    "  accepted INTEGER NOT NULL,"                                                                                     \
    "  held INTEGER NOT NULL,"                                                                                         \
    "  repeated INTEGER NOT NULL,"                                                                                     \
    "  rejected INTEGER NOT NULL,"                                                                                     \
    "  deferred INTEGER NOT NULL,"                                                                                     \
    "  posted INTEGER NOT NULL,"                                                                                       \
    "  messages INTEGER NOT NULL,"                                                                                     \
    "  delivered INTEGER NOT NULL,"                                                                                    \
    "  retried INTEGER NOT NULL,"                                                                                      \
    "  failed INTEGER NOT NULL,"                                                                                       \
    "  queue_in INTEGER NOT NULL,"                                                                                     \
    "  queue_out INTEGER NOT NULL,"                                                                                    \
    "  posted_within TEXT NOT NULL,"                                                                                   \
    "  delivered_within TEXT NOT NULL"                                                                                 \
    ") STRICT;"

/* Who may use the web page and its API; see store_web.h. */
#define VERSION_1_WEB                                                                                                  \
    "CREATE TABLE web_account ("                                                                                       \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                                          \
    "  name TEXT NOT NULL UNIQUE,"                                                                                     \
    "  password TEXT NOT NULL,"                                                                                        \
    "  created_at INTEGER NOT NULL,"                                                                                   \
    "  password_at INTEGER NOT NULL,"                                                                                  \
    "  signed_in_at INTEGER NOT NULL DEFAULT 0,"                                                                       \
    "  totp_state TEXT NOT NULL DEFAULT 'none' CHECK (totp_state IN ('none', 'begun', 'on')),"                         \
    "  totp_secret BLOB CHECK (length(totp_secret) = 20),"                                                             \
    "  totp_step INTEGER NOT NULL DEFAULT 0,"                                                                          \
    "  CHECK ((totp_secret IS NULL) = (totp_state = 'none'))"                                                          \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE web_recovery ("                                                                                      \
    "  account_id INTEGER NOT NULL REFERENCES web_account (id),"                                                       \
    "  digest BLOB NOT NULL CHECK (length(digest) = 32),"                                                              \
    "  PRIMARY KEY (account_id, digest)"                                                                               \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE TABLE web_session ("                                                                                       \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                                          \
    "  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),"                                                       \
    "  account_id INTEGER NOT NULL REFERENCES web_account (id),"                                                       \
    "  created_at INTEGER NOT NULL,"                                                                                   \
    "  seen_at INTEGER NOT NULL,"                                                                                      \
    "  peer TEXT NOT NULL,"                                                                                            \
    "  agent TEXT NOT NULL"                                                                                            \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX web_session_account ON web_session (account_id);"                                                    \
    "CREATE TABLE web_token ("                                                                                         \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                                          \
    "  name TEXT NOT NULL UNIQUE,"                                                                                     \
    "  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),"                                                       \
    "  only_reads INTEGER NOT NULL CHECK (only_reads IN (0, 1)),"                                                      \
    "  created_at INTEGER NOT NULL,"                                                                                   \
    "  created_by TEXT NOT NULL,"                                                                                      \
    "  expires_at INTEGER NOT NULL DEFAULT 0,"                                                                         \
    "  used_at INTEGER NOT NULL DEFAULT 0"                                                                             \
    ") STRICT;"

const char *const store_migrations[STORE_SCHEMA_VERSION] = {
    VERSION_1_PEOPLE VERSION_1_RECIPIENTS VERSION_1_CONVERSATIONS VERSION_1_QUEUES VERSION_1_HELD VERSION_1_MEMORY
        VERSION_1_AUDIT VERSION_1_ADMINS VERSION_1_BUCKETS VERSION_1_REFUSALS VERSION_1_HISTORY VERSION_1_WEB
    "PRAGMA user_version = 1;",
};
