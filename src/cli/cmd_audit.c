/* ptsinfer --audit: what this program is made of. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "cli/cli.h"
#include "cli/commands.h"

#include "pts/cpu.h"

#include <link.h>
#include <stdio.h>

/* The program itself comes first, without a name. */
static int print_library(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    if (*info->dlpi_name)
        printf("  %s\n", info->dlpi_name);
    return 0;
}

static int print_text(const pts_build *build)
{
    printf("version    %s\n", build->version);
    printf("features   %s\n", *build->features ? build->features : "the engine alone");
    printf("BLAS       %s\n", build->blas);
    printf("kernels    %s\n", build->kernels);
    printf("CPU level  %s\n", pts_cpu_level());
    printf("sources    %u lines of C in %u files, headers and tests aside\n", cli_source_lines,
           cli_source_files);
    printf("libraries loaded:\n");
    dl_iterate_phdr(print_library, NULL);
    return CLI_DONE;
}

#ifdef PTS_HAVE_JSON
static int list_library(struct dl_phdr_info *info, size_t size, void *list)
{
    (void)size;
    if (*info->dlpi_name)
        json_array_append_new(list, json_string(info->dlpi_name));
    return 0;
}

static int print_json(const cli_syntax *syntax, const pts_build *build)
{
    (void)syntax;
    json_t *libraries = json_array();
    dl_iterate_phdr(list_library, libraries);
    cli_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:o}", "version", build->version,
                             "features", build->features, "blas", build->blas, "kernels",
                             build->kernels, "cpu_level", pts_cpu_level(), "source_lines",
                             (int)cli_source_lines, "source_files", (int)cli_source_files,
                             "libraries", libraries));
    return CLI_DONE;
}
#else
static int print_json(const cli_syntax *syntax, const pts_build *build)
{
    (void)build;
    return cli_fail(syntax, "--json: built without jansson");
}
#endif

static int run(const cli_syntax *syntax, const cli_list *operands, void *json)
{
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    const pts_build build = pts_build_info();
    return *(const bool *)json ? print_json(syntax, &build) : print_text(&build);
}

int cmd_audit(int argc, char **argv)
{
    bool json = false;
    const cli_option table[] = {
        {"--json", 0, CLI_FLAG, &json, NULL, "print as JSON"},
    };
    const cli_syntax syntax = {"ptsinfer --audit", "[--json]", "ptsinfer --audit", table,
                               sizeof table / sizeof *table};
    return cli_run(&syntax, argc, argv, run, &json);
}
