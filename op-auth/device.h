#pragma once
/* What a person would call the browser that sent a User-Agent: "Firefox on Linux". Pure, and only a hint:
 * anybody can send anything. */

/* Browser and system, each a static name or NULL when it is not known. */
void device_describe(const char *user_agent, const char **ret_browser, const char **ret_system);
