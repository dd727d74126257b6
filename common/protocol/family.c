#include "protocol/family.h"

#include <stddef.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool session_alive(const Rec__Session *session, const Rec__User *user, int64_t now)
{
    if (session == NULL || user == NULL || user->disabled || !same(session->user_id, user->user_id))
        return false;
    int64_t proved_at = session->auth_time > session->created_at ? session->auth_time : session->created_at;
    return now < session->idle_expires_at && now < session->expires_at && proved_at >= user->since;
}

static bool client_stands(const struct family_facts *facts)
{
    const Rec__Client *client = facts->client;
    return client != NULL && !client->disabled && same(client->client_id, facts->grant->client_id) &&
           facts->grant->granted_at >= client->since;
}

static bool user_stands(const struct family_facts *facts)
{
    const Rec__User *user = facts->user;
    return user != NULL && !user->disabled && same(user->user_id, facts->grant->user_id) &&
           facts->grant->granted_at >= user->since;
}

static bool consent_stands(const struct family_facts *facts)
{
    const Rec__Consent *consent = facts->consent;
    if (consent == NULL)
        return facts->grant->first_party || (facts->client != NULL && facts->client->first_party);
    if (consent->withdrawn && !facts->grant->first_party)
        return false;
    return facts->grant->granted_at >= consent->since;
}

static bool session_stands(const struct family_facts *facts)
{
    const Rec__Session *session = facts->session;
    if (facts->offline || (facts->family != NULL && facts->family->offline))
        return true;
    return session != NULL && same(session->sid, facts->grant->sid) && session_alive(session, facts->user, facts->now);
}

enum family_verdict family_alive(const struct family_facts *facts)
{
    const Rec__Family *family = facts->family;
    if (facts->revoked || (family != NULL && family->dead))
        return FAMILY_DEAD;
    if (family != NULL && (facts->now >= family->idle_expires_at || facts->now >= family->expires_at))
        return FAMILY_EXPIRED;
    if (!client_stands(facts))
        return FAMILY_CLIENT_GONE;
    if (facts->grant->user_id == NULL) /* client_credentials: there is nobody else to ask */
        return FAMILY_ALIVE;
    if (!user_stands(facts))
        return FAMILY_USER_GONE;
    if (!consent_stands(facts))
        return FAMILY_CONSENT_WITHDRAWN;
    return session_stands(facts) ? FAMILY_ALIVE : FAMILY_SESSION_ENDED;
}

const char *family_verdict_name(enum family_verdict verdict)
{
    switch (verdict) {
    case FAMILY_ALIVE: return "alive";
    case FAMILY_DEAD: return "dead";
    case FAMILY_EXPIRED: return "expired";
    case FAMILY_SESSION_ENDED: return "session_ended";
    case FAMILY_CONSENT_WITHDRAWN: return "consent_withdrawn";
    case FAMILY_USER_GONE: return "user_gone";
    case FAMILY_CLIENT_GONE: return "client_gone";
    }
    return "unknown";
}
