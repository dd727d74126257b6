#pragma once
/* libcurl, as far as fetch and smtp use it in the same way. The one file that names its header. */
#include <curl/curl.h>
#include <stdbool.h>

/* Before anything else of libcurl, on the main thread; may be called again. */
void wire_setup(void);

/* Aborts: memory ran out, or libcurl lacks what it was built with. */
void wire_require(bool ok);
#define WIRE_SET(easy, option, value) wire_require(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/* TLS 1.2 at least, and only certificates that the authorities of ca_file (PEM; NULL: the system's) signed for the
 * host. */
void wire_set_trust(CURL *easy, const char *ca_file);
