#include "cli/models.h"
#include "cli/defaults.h"

#include <stdio.h>
#include <string.h>

static void add_prior(cli_models *m, const char *name, const char *path)
{
    if (m->files.prior_count < CLI_PRIORS)
        m->priors[m->files.prior_count++] = (pts_prior_name){name, path};
    m->files.priors = m->priors;
}

void cli_models_find(cli_models *m)
{
    m->one_encoder = cli_default_encoder(NULL, m->encoder, sizeof m->encoder);
    m->one_head = cli_default_file("head-builtin.ptsw", m->head, sizeof m->head);
    m->files = (pts_model_files){
        .encoders = m->encoders.count ? m->encoders.items : &m->one_encoder,
        .encoder_count = m->encoders.count ? m->encoders.count : 1,
        .heads = m->heads.count ? m->heads.items : &m->one_head,
        .head_count = m->heads.count ? m->heads.count : 1,
    };
}

void cli_models_add_prior(cli_models *m, const char *name)
{
    char file[256];
    char *path = m->prior[m->files.prior_count % CLI_PRIORS];
    snprintf(file, sizeof file, "prior-%.200s.txt", name);
    add_prior(m, name, strpbrk(name, "./") ? name : cli_default_file(file, path, sizeof *m->prior));
}

void cli_models_add_installed_priors(cli_models *m)
{
    cli_default_names("prior-", ".txt", m->names, sizeof m->names);
    char *rest = m->names;
    for (char *name = strtok_r(rest, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest))
        cli_models_add_prior(m, name);
}
