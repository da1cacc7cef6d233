/* status_words.c - see status_words.h */
#include "gateway/status_words.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct phrase {
    const char *code; /* "X" stands for any class; what comes first counts */
    const char *words;
};

static const struct phrase phrases[] = {
    { "2.1.9", "it was handed on to a system that sends no reports" },
    { "2.6.4", "it was delivered, but had to be converted and has lost something" },
    { "2.1.5", "the address is good" },
    { "4.1.1", "the mailbox is not known there at the moment" },
    { "4.2.1", "the mailbox does not accept messages at the moment" },
    { "4.7.0", "the recipient's mail system does not accept it yet, by its rules" },
    { "4.7.1", "the recipient's mail system does not accept it yet, by its rules" },
    { "X.1.0", "something is wrong with the address" },
    { "X.1.1", "there is no such mailbox" },
    { "X.1.2", "there is no such mail domain" },
    { "X.1.3", "the address is not written as an address must be" },
    { "X.1.4", "the address fits more than one mailbox" },
    { "X.1.5", "the address is good, but it could not be delivered" },
    { "X.1.6", "the mailbox has moved, and nobody knows where" },
    { "X.1.7", "the recipient's mail system finds the sender's address malformed" },
    { "X.1.8", "the recipient's mail system does not accept mail from the sender's domain" },
    { "X.1.9", "it was handed on to a system that sends no reports" },
    { "X.1.10", "the domain of the address takes no mail" },
    { "X.2.0", "something is wrong with the mailbox" },
    { "X.2.1", "the mailbox is disabled and does not accept messages" },
    { "X.2.2", "the mailbox is full" },
    { "X.2.3", "the message is larger than the mailbox accepts" },
    { "X.2.4", "the mailing list could not be expanded" },
    { "X.3.0", "the recipient's mail system has a problem" },
    { "X.3.1", "the recipient's mail system has no room left" },
    { "X.3.2", "the recipient's mail system is not accepting messages" },
    { "X.3.3", "the recipient's mail system can't do what this message needs" },
    { "X.3.4", "the message is larger than the recipient's mail system accepts" },
    { "X.3.5", "the recipient's mail system is not set up properly" },
    { "X.3.6", "it was accepted with another priority" },
    { "X.4.0", "there is a problem with the network on the way" },
    { "X.4.1", "the mail system on the way does not answer" },
    { "X.4.2", "the connection to the mail system on the way was lost" },
    { "X.4.3", "a directory that is needed for the delivery can't be asked" },
    { "X.4.4", "no way to the recipient's mail system is known" },
    { "X.4.5", "the mail system on the way has too much to do" },
    { "X.4.6", "the message went round in a circle" },
    { "X.4.7", "it could not be delivered in time" },
    { "X.5.0", "the mail systems did not understand each other" },
    { "X.5.1", "the mail systems did not understand each other" },
    { "X.5.2", "the mail systems did not understand each other" },
    { "X.5.3", "the message has more recipients than the mail system accepts" },
    { "X.5.4", "the mail systems did not understand each other" },
    { "X.5.5", "the mail systems did not understand each other" },
    { "X.5.6", "the mail systems did not understand each other" },
    { "X.6.0", "something is wrong with the content of the message" },
    { "X.6.1", "the recipient's mail system does not accept this kind of content" },
    { "X.6.2", "the message would have to be converted, which is forbidden" },
    { "X.6.3", "the message would have to be converted, which is not possible" },
    { "X.6.4", "the message had to be converted and has lost something" },
    { "X.6.5", "the message could not be converted" },
    { "X.6.6", "the content of the message is not available" },
    { "X.6.7", "the mail system on the way can't handle addresses with other than English letters" },
    { "X.6.8", "the mail system on the way can't handle addresses with other than English letters" },
    { "X.6.9", "the mail system on the way can't handle other than English letters in the header" },
    { "X.6.10", "the mail system on the way can't handle addresses with other than English letters" },
    { "X.7.0", "the recipient's mail system refuses it for reasons of security" },
    { "X.7.1", "the recipient's mail system does not accept it, by its rules" },
    { "X.7.2", "the sender may not write to this mailing list" },
    { "X.7.3", "the message would have to be protected in another way, which is not possible" },
    { "X.7.4", "a means of protection that is needed is missing" },
    { "X.7.5", "the encryption failed" },
    { "X.7.6", "an encryption that is needed is not supported" },
    { "X.7.7", "the message was damaged or changed on the way" },
    { "X.7.8", "the mail system on the way does not accept our password" },
    { "X.7.9", "the mail system on the way wants a stronger way to log in" },
    { "X.7.10", "the mail system on the way wants encryption" },
    { "X.7.11", "the mail system on the way wants encryption" },
    { "X.7.12", "the mail system on the way wants a new password" },
    { "X.7.13", "the account is disabled" },
    { "X.7.14", "the mail system on the way does not trust us" },
    { "X.7.15", "the priority of the message is too low" },
    { "X.7.16", "the message is too large for its priority" },
    { "X.7.17", "the mailbox belongs to somebody else now" },
    { "X.7.18", "the domain belongs to somebody else now" },
    { "X.7.19", "whether the mailbox still belongs to the same person could not be checked" },
    { "X.7.20", "the message is not signed (DKIM)" },
    { "X.7.21", "the signature of the message is not accepted (DKIM)" },
    { "X.7.22", "the message is not signed by its author's domain (DKIM)" },
    { "X.7.23", "the server that sent it may not send for its domain (SPF)" },
    { "X.7.24", "whether the server that sent it may do so could not be checked (SPF)" },
    { "X.7.25", "the server that sent it has no proper name (reverse DNS)" },
    { "X.7.26", "it could not be proven who sent the message" },
    { "X.7.27", "the domain of the sender takes no mail" },
    { "X.7.28", "too many messages came in a short time" },
    { "X.7.29", "the message was changed on the way (ARC)" },
    { "X.7.30", "the encryption that the message asks for is not available all the way" },
    /* Of replies without an enhanced code. */
    { "421", "the mail system on the way is not available at the moment" },
    { "450", "the mailbox is not available at the moment" },
    { "451", "the recipient's mail system has a problem at the moment" },
    { "452", "the recipient's mail system has no room at the moment" },
    { "454", "the recipient's mail system has a problem at the moment" },
    { "550", "the recipient's mail system refuses it; perhaps there is no such mailbox" },
    { "551", "the mailbox is elsewhere" },
    { "552", "the mailbox is full, or the message is too large for it" },
    { "553", "the recipient's mail system does not accept the address" },
    { "554", "the recipient's mail system refuses it" },
    { "556", "the domain of the address takes no mail" },
    /* Codes that nobody has written down: by subject, then by class. */
    { "X.1.", "something is wrong with the address" },
    { "X.2.", "something is wrong with the mailbox" },
    { "X.3.", "the recipient's mail system has a problem" },
    { "X.4.", "there is a problem with the network on the way" },
    { "X.5.", "the mail systems did not understand each other" },
    { "X.6.", "something is wrong with the content of the message" },
    { "X.7.", "the recipient's mail system refuses it for reasons of security" },
    { "2", "it was accepted" },
    { "4", "it could not be delivered yet" },
    { "5", "it could not be delivered" },
};

static bool is_code(const char *text)
{
    size_t len = strspn(text, "0123456789.");
    return len >= 3 && !text[len] && strchr("245", text[0]);
}

/* Of success only what was written for it. */
static bool fits(const struct phrase *phrase, const char *text)
{
    size_t len = strlen(phrase->code);
    bool is_prefix = phrase->code[len - 1] == '.' || len == 1;
    bool any = phrase->code[0] == 'X';
    if (any ? text[0] == '2' : text[0] != phrase->code[0])
        return false;
    return strncmp(text + 1, phrase->code + 1, len - 1) == 0 && (is_prefix || !text[len]);
}

const char *status_words(const char *enhanced)
{
    for (size_t i = 0; is_code(enhanced) && i < sizeof phrases / sizeof phrases[0]; i++)
        if (fits(&phrases[i], enhanced))
            return phrases[i].words;
    return "the reason was not told in a way that can be put in plain words";
}
