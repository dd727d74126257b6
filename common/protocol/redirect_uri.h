#pragma once
/* Redirect URIs: what may be registered and what matches (RFC 6749 §3.1.2, RFC 8252 §7.3, RFC 9700 §2.1). Pure. */
#include "base/err.h"
#include "base/mem.h"

/* NULL when uri may be registered for this application_type ("web" or "native"), else what is wrong
 * (static text): no fragment, no userinfo, https (http only on loopback), for native also private-use
 * schemes with a dot; never javascript, data, file, ... */
const char *redirect_uri_problem(const char *uri, const char *application_type);

/* True when requested equals one of the registered ones character by character; for native clients
 * the port of a http loopback-IP URI may differ (RFC 8252 §7.3). */
bool redirect_uri_matches(const char *requested, char *const *registered, size_t count, bool native);
