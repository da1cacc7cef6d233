/* Forms: what is read keeps within its limits, and all of it is there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tmtp/tmtp_form.h"

static void check(const char *text, size_t max)
{
    if (!text || strlen(text) > max)
        abort();
}

static void check_form(struct tmtp_form *form, bool is_blank)
{
    if (form->count > TMTP_FORM_FIELDS_MAX)
        abort();
    for (size_t i = 0; i < form->count; i++) {
        const struct tmtp_form_field *field = &form->fields[i];
        check(field->model, TMTP_FORM_LABEL_MAX);
        check(is_blank ? field->label : "", TMTP_FORM_LABEL_MAX);
        check(is_blank ? field->hint : "", TMTP_FORM_LABEL_MAX);
        check(is_blank ? "" : field->value, TMTP_FORM_VALUE_MAX);
        if (field->choice_count > TMTP_FORM_CHOICES_MAX)
            abort();
        for (size_t n = 0; n < field->choice_count; n++)
            check(field->choices[n], TMTP_FORM_LABEL_MAX);
    }
    tmtp_form_free(form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tmtp_form form;
    if (tmtp_form_read_blank((const char *)data, size, &form) == 1)
        check_form(&form, true);
    if (tmtp_form_read_filled((const char *)data, size, &form) == 1)
        check_form(&form, false);
    return 0;
}
