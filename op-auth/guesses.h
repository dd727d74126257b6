#pragma once
/* Guesses at passwords, counted per account and per address in the guard environment, which all instances
 * share. An account that does not exist is counted like any other. */
#include "runtime/http.h"

/* result is OP_OK or the store's trouble; wait is 0 when the guess was counted and may go on, else the
 * seconds until the next one may. */
typedef void guesses_done(enum op_err result, unsigned wait, void *arg);

/* Counts a guess before it is tried (so that parallel ones cannot slip by). account in any case; address may
 * be "". done runs on the event loop. Does not block. Memory is req's. */
void guesses_count(struct http_request *req, const char *account, const char *address, guesses_done *done, void *arg);
/* The password was right: the account's guesses are forgotten and the address has one less, some time soon. */
void guesses_forget(const char *account, const char *address);
/* The guess that was counted could not be tried: account and address have one less, some time soon. */
void guesses_take_back(const char *account, const char *address);
