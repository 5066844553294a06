/* ptsinfer serve: the page and its service, until a signal. */
#include "cli/commands.h"
#include "cli/models.h"

#include "pts/file.h"
#include "pts/web.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_MAX = 256, QUEUE_MAX = 10000 };

typedef struct serving {
    const char *address, *token_path;
    long port, queue, threads, max_pixels;
    bool insecure;
    cli_models models;
    char token[TOKEN_MAX + 2];
    pts_web_options options;
} serving;

static void print_line(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "%s\n", line);
}

/* One line of printable characters. */
static int read_token(const cli_syntax *syntax, serving *s)
{
    char *text;
    size_t size;
    pts_error err;
    if (!s->token_path)
        return -1;
    if (pts_read_file(s->token_path, TOKEN_MAX + 1, &text, &size, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    snprintf(s->token, sizeof s->token, "%s", text);
    free(text);
    s->token[strcspn(s->token, "\r\n")] = '\0';
    size_t length = strlen(s->token);
    bool printable = length >= 16 && length <= TOKEN_MAX;
    for (const char *c = s->token; *c; c++)
        printable &= *c > ' ' && *c < 0x7F;
    if (!printable)
        return cli_fail(syntax,
                        "%s: expected one line of 16 … %d printable characters without blanks",
                        s->token_path, TOKEN_MAX);
    s->options.token = s->token;
    return -1;
}

static void find_models(serving *s)
{
    cli_models_find(&s->models);
    cli_models_add_installed_priors(&s->models);
    const pts_model_files *files = &s->models.files;
    s->options.encoders = files->encoders;
    s->options.encoder_count = files->encoder_count;
    s->options.heads = files->heads;
    s->options.head_count = files->head_count;
    s->options.priors = files->priors;
    s->options.prior_count = files->prior_count;
}

static int check(const cli_syntax *syntax, serving *s)
{
    if (s->port < 0 || s->port > 65535)
        return cli_wrong(syntax, "--port: expected 0 … 65535, got %ld", s->port);
    if (s->queue < 1 || s->queue > QUEUE_MAX)
        return cli_wrong(syntax, "--queue: expected 1 … %d, got %ld", QUEUE_MAX, s->queue);
    if (s->max_pixels < 1)
        return cli_wrong(syntax, "--max-pixels: expected 1 or more, got %ld", s->max_pixels);
    s->options.address = s->address;
    s->options.port = (int)s->port;
    s->options.queue = (size_t)s->queue;
    s->options.threads = (int)s->threads;
    s->options.image_pixels = (size_t)s->max_pixels;
    s->options.insecure = s->insecure;
    s->options.log = print_line;
    return read_token(syntax, s);
}

/* A signal's number goes through a pipe to the main thread. Blocking and waiting for them would not
 * do: OpenBLAS has threads before main begins, and a signal that one of them takes ends us. */
static int signal_pipe[2];

static void on_signal(int number)
{
    char byte = (char)number;
    int saved = errno;
    if (write(signal_pipe[1], &byte, 1) != 1)
        byte = 0; /* full: as many signals as that are waiting already */
    errno = saved;
}

static bool catch_signals(void)
{
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_flags = SA_RESTART};
    if (pipe(signal_pipe) != 0)
        return false;
    fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

static void wait_for_end(const cli_syntax *syntax, pts_web *web)
{
    char number;
    pts_error err;
    while (read(signal_pipe[0], &number, 1) == 1 && number == SIGHUP) {
        if (pts_web_reload(web, &err) == PTS_OK)
            fprintf(stderr, "%s: weights reloaded\n", syntax->command);
        else
            fprintf(stderr, "%s: weights not reloaded: %s\n", syntax->command, err.message);
    }
    fprintf(stderr, "%s: stopping\n", syntax->command);
}

/* Bodies come and go by the megabyte. By default malloc learns to keep such blocks, and each of its
 * arenas, several a core, keeps its own: memory would grow for hours. */
static void keep_memory_flat(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 18);
    mallopt(M_ARENA_MAX, 4);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    serving *s = user;
    pts_web *web;
    pts_error err;
    int code = cli_no_operands(syntax, operands);
    if (code < 0)
        code = check(syntax, s);
    if (code >= 0)
        return code;
    find_models(s);
    keep_memory_flat();
    if (!catch_signals())
        return cli_fail(syntax, "signals: %s", strerror(errno));
    pts_status status = pts_web_start(&web, &s->options, &err);
    if (status == PTS_ERR_ARGUMENT)
        return cli_wrong(syntax, "--%s", err.message);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    bool v6 = strchr(s->address, ':') != NULL;
    fprintf(stderr, "%s: http://%s%s%s:%d/\n", syntax->command, v6 ? "[" : "", s->address,
            v6 ? "]" : "", pts_web_port(web));
    wait_for_end(syntax, web);
    pts_web_stop(web);
    return CLI_DONE;
}

int cmd_serve(int argc, char **argv)
{
    const pts_web_options defaults = PTS_WEB_DEFAULTS;
    serving s = {.options = defaults, .address = defaults.address, .port = defaults.port};
    s.queue = (long)defaults.queue;
    s.max_pixels = (long)defaults.image_pixels;
    const cli_option options[] = {
        {"--port", 0, CLI_INTEGER, &s.port, "N", "port; 0: any that is free (8501)"},
        {"--bind", 0, CLI_TEXT, &s.address, "ADDRESS", "address to listen at (127.0.0.1)"},
        CLI_MODELS_OPTIONS(&s.models),
        {"--token-file", 0, CLI_TEXT, &s.token_path, "FILE",
         "bearer token that requests must have"},
        {"--insecure", 0, CLI_FLAG, &s.insecure, NULL,
         "listen beyond this machine without a token"},
        {"--queue", 0, CLI_INTEGER, &s.queue, "N", "requests that may wait for the encoder (32)"},
        {"--max-pixels", 0, CLI_INTEGER, &s.max_pixels, "N",
         "most pixels of a photograph (50000000)"},
        CLI_THREADS_OPTION(&s.threads),
    };
    return CLI_RUN(options, argc, argv, run, &s, "ptsinfer serve",
                   "[--port 8501] [--bind 127.0.0.1]", "ptsinfer serve --port 8501");
}
