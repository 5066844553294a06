#include "cli/models.h"
#include "cli/defaults.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void find_priors(cli_models *m, const char *asked)
{
    static const char *const names[CLI_PRIORS] = {"builtin", "yolov8m-seg"};
    for (size_t i = 0; i < CLI_PRIORS; i++) {
        char file[64];
        snprintf(file, sizeof file, "prior-%s.txt", names[i]);
        const char *path = cli_default_file(file, m->prior[i], sizeof m->prior[i]);
        if (access(path, R_OK) == 0)
            m->priors[m->files.prior_count++] = (pts_prior_name){names[i], path};
    }
    if (asked && strpbrk(asked, "./"))
        m->priors[m->files.prior_count++] = (pts_prior_name){asked, asked};
    m->files.priors = m->priors;
}

void cli_models_find(cli_models *m, const char *prior)
{
    m->one_encoder = cli_default_encoder(NULL, m->encoder, sizeof m->encoder);
    m->one_head = cli_default_file("head-builtin.ptsw", m->head, sizeof m->head);
    m->files = (pts_model_files){
        .encoders = m->encoders.count ? m->encoders.items : &m->one_encoder,
        .encoder_count = m->encoders.count ? m->encoders.count : 1,
        .heads = m->heads.count ? m->heads.items : &m->one_head,
        .head_count = m->heads.count ? m->heads.count : 1,
    };
    find_priors(m, prior);
}
