/* web_mapping.h - what the pages of mappings share */
#pragma once

struct json_t;
struct web_visit;

/* To the page of this one (an answer of a verb that has changed it), which tells what it is now. */
void web_mapping_redirect(struct web_visit *visit, const struct json_t *mapping);
