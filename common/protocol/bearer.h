#pragma once
/* The Authorization header of a bearer token (RFC 6750 §2.1). Pure. */

/* The token, which points into the header; NULL for another scheme, no token or no header (NULL). */
const char *bearer_token(const char *authorization);
