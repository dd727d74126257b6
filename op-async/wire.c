#include "wire.h"

#include <stdlib.h>

enum { CA_CACHE_SECONDS = 3600 };

void wire_setup(void)
{
    wire_require(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void wire_require(bool ok)
{
    if (!ok)
        abort();
}

void wire_set_trust(CURL *easy, const char *ca_file)
{
    WIRE_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    WIRE_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    WIRE_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    WIRE_SET(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    WIRE_SET(easy, CURLOPT_CAPATH, NULL); /* the authorities are kept parsed only where they are one file */
    WIRE_SET(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_SECONDS);
    if (ca_file != NULL)
        WIRE_SET(easy, CURLOPT_CAINFO, ca_file);
}
