/* Is a figure XML? */
#ifndef PTS_TESTS_WELL_FORMED_H
#define PTS_TESTS_WELL_FORMED_H

#include <check.h>
#include <stdio.h>
#include <string.h>

/* Every element closed by its own name, quotes in pairs, one root: XML enough for cairo's output.
 */
static inline void assert_well_formed(const char *text)
{
    char stack[32][32];
    int depth = 0, roots = 0;
    for (const char *at = strchr(text, '<'); at; at = strchr(at, '<')) {
        const char *end = strchr(at, '>');
        ck_assert_ptr_nonnull(end);
        int quotes = 0;
        for (const char *p = at; p < end; p++)
            quotes += *p == '"';
        ck_assert_int_eq(quotes % 2, 0);
        char name[32] = "";
        sscanf(at + (at[1] == '/' ? 2 : 1), "%31[a-zA-Z:]", name);
        if (at[1] == '/') {
            ck_assert_int_gt(depth, 0);
            ck_assert_str_eq(stack[--depth], name);
        } else if (at[1] != '?' && end[-1] != '/') {
            roots += depth == 0;
            ck_assert_int_lt(depth, 32);
            strcpy(stack[depth++], name);
        }
        at = end;
    }
    ck_assert_int_eq(depth, 0);
    ck_assert_int_eq(roots, 1);
}

#endif
