#include "cli/models.h"
#include "cli/defaults.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_prior(cli_models *m, const char *name, const char *path)
{
    m->priors[m->files.prior_count++] = (pts_prior_name){name, path};
    m->files.priors = m->priors;
}

static void add_installed(cli_models *m, const char *name)
{
    char file[256];
    char *path = m->prior[m->files.prior_count];
    snprintf(file, sizeof file, "prior-%.200s.txt", name);
    add_prior(m, name, cli_default_file(file, path, sizeof *m->prior));
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

void cli_models_find_study(cli_models *m)
{
    cli_models_find(m);
    m->one_clip = cli_default_file("clip_vit.ptsw", m->clip, sizeof m->clip);
    const char *const told = m->encoders.count ? m->encoders.items[0] : NULL;
    const char *const installed[] = {m->one_encoder, m->one_clip};
    size_t count = 0;
    if (m->encoders.count == 2)
        return;
    if (told)
        m->pair[count++] = told;
    for (size_t i = 0; i < 2; i++)
        if (!told || access(installed[i], R_OK) == 0)
            m->pair[count++] = installed[i];
    m->files.encoders = m->pair;
    m->files.encoder_count = count;
}

void cli_models_add_prior(cli_models *m, const char *name)
{
    if (strpbrk(name, "./"))
        add_prior(m, name, name);
    else
        add_installed(m, name);
}

void cli_models_add_installed_priors(cli_models *m)
{
    cli_default_names("prior-", ".txt", m->names, sizeof m->names);
    for (char *name = m->names, *end; *name && m->files.prior_count < CLI_PRIORS; name = end) {
        end = strstr(name, ", ");
        if (end) {
            *end = '\0';
            end += 2;
        } else {
            end = name + strlen(name);
        }
        add_installed(m, name);
    }
}
