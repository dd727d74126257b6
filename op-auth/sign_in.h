#pragma once
/* Signing in with a password, and choosing an account. Functions that answer free req. */
#include "data/records.h"
#include "interaction.h"
#include "runtime/http.h"

/* The sign-in page, with what interaction says went wrong at the last try. user is who is signed in already and
 * has to do so again, or NULL. notice is the key of a message above the form, or NULL. */
void sign_in_show(struct http_request *req, const struct interaction *interaction, const Rec__User *user,
                  const char *notice);
/* "Go on as ..., or use another account". */
void sign_in_show_accounts(struct http_request *req, const struct interaction *interaction, const Rec__User *user);

/* POST /sign-in, POST /select-account. */
void sign_in_handle(struct http_request *req);
void sign_in_handle_select(struct http_request *req);
