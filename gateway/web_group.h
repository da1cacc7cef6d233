/* web_group.h - what the pages of members and of groups share */
#pragma once

struct json_t;
struct web_html;

/* The section that lists all groups. list: what `group list` has answered; NULL: nothing. */
void web_group_section(struct web_html *html, const struct json_t *list);
/* The section with the mappings of a member or group, as `member show` and `group show` have them. target: alias or gid. */
void web_group_mappings(struct web_html *html, const struct json_t *shown, const char *target);
