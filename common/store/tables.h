#pragma once
/* Every table of every environment, in one place: a key prefix each, never re-used. */
#include "store/kv.h"

/* keys */
static const struct kv_table TABLE_PRIVATE_KEYS = {KV_KEYS, 1, "private_keys"};          /* kid */
/* jwks */
static const struct kv_table TABLE_SIGNING_KEYS = {KV_JWKS, 1, "signing_keys"};          /* kid */
static const struct kv_table TABLE_ROTATION_WISH = {KV_JWKS, 2, "rotation_wish"};        /* "wish" */
/* clients */
static const struct kv_table TABLE_CLIENTS = {KV_CLIENTS, 1, "clients"};                 /* client_id */
static const struct kv_table TABLE_CLIENT_ORIGINS = {KV_CLIENTS, 2, "client_origins"};   /* SHA-256(origin) client_id */
static const struct kv_table TABLE_INITIAL_ACCESS_TOKENS = {KV_CLIENTS, 3, "initial_access_tokens"}; /* SHA-256(token) */
/* users */
static const struct kv_table TABLE_USERS = {KV_USERS, 1, "users"};                       /* user_id */
static const struct kv_table TABLE_USERNAMES = {KV_USERS, 2, "usernames"};               /* SHA-256(lower-case username) */
/* credentials */
static const struct kv_table TABLE_PASSWORDS = {KV_CREDENTIALS, 1, "passwords"};         /* user_id */
/* sessions */
static const struct kv_table TABLE_SESSIONS = {KV_SESSIONS, 1, "sessions"};              /* sid */
static const struct kv_table TABLE_SESSION_COOKIES = {KV_SESSIONS, 2, "session_cookies"}; /* SHA-256(cookie) */
static const struct kv_table TABLE_USER_SESSIONS = {KV_SESSIONS, 3, "user_sessions"};    /* user_id NUL sid */
static const struct kv_table TABLE_CONSENTS = {KV_SESSIONS, 4, "consents"};              /* user_id NUL client_id */
/* tokens */
static const struct kv_table TABLE_FAMILIES = {KV_TOKENS, 1, "families"};                /* family_id, 16 bytes */
static const struct kv_table TABLE_USER_FAMILIES = {KV_TOKENS, 2, "user_families"};      /* user_id NUL family_id */
static const struct kv_table TABLE_REVOKED_TOKENS = {KV_TOKENS, 3, "revoked_tokens"};    /* SHA-256(jti) */
/* outbox */
static const struct kv_table TABLE_MESSAGES = {KV_OUTBOX, 1, "messages"};                /* message_id, 16 bytes */
static const struct kv_table TABLE_DUE_MESSAGES = {KV_OUTBOX, 2, "due_messages"};        /* due_ms, 8 bytes; message_id */
static const struct kv_table TABLE_DEAD_LETTERS = {KV_OUTBOX, 3, "dead_letters"};        /* message_id */
/* codes */
static const struct kv_table TABLE_CODES = {KV_CODES, 1, "codes"};                       /* SHA-256(code) */
static const struct kv_table TABLE_SPENT_CODES = {KV_CODES, 2, "spent_codes"};           /* SHA-256(code) */
static const struct kv_table TABLE_PUSHED_REQUESTS = {KV_CODES, 3, "pushed_requests"};   /* SHA-256(request_uri) */
static const struct kv_table TABLE_SPENT_REQUESTS = {KV_CODES, 4, "spent_requests"};     /* SHA-256(request_uri) */
/* async */
static const struct kv_table TABLE_DEVICE_REQUESTS = {KV_ASYNC, 1, "device_requests"};   /* SHA-256(device_code) */
static const struct kv_table TABLE_USER_CODES = {KV_ASYNC, 2, "user_codes"};             /* user_code */
/* guard */
static const struct kv_table TABLE_JTIS = {KV_GUARD, 1, "jtis"};                         /* SHA-256(issuer NUL jti) */
static const struct kv_table TABLE_COUNTERS = {KV_GUARD, 2, "counters"};                 /* slot, 4 bytes; see guard.h */
static const struct kv_table TABLE_WISHES = {KV_GUARD, 3, "wishes"};                     /* SHA-256(url) */
static const struct kv_table TABLE_SLOT_KEY = {KV_GUARD, 4, "slot_key"};                 /* "key" */
/* remote */
static const struct kv_table TABLE_DOCUMENTS = {KV_REMOTE, 1, "documents"};              /* SHA-256(url) */
/* every environment: its Environment record, under prefix 239 and the key "environment" */
