/* pts/mlp.h: the multilayer perceptron, trained by hand-written gradients.
 *
 *   const pts_mlp_layer layers[] = {{PTS_MLP_LINEAR, 256, 0}, {PTS_MLP_LAYER_NORM, 0, 1e-5},
 *                                   {PTS_MLP_GELU, 0, 0},     {PTS_MLP_DROPOUT, 0, 0.1},
 *                                   {PTS_MLP_LINEAR, 4, 0}};
 *   pts_mlp *mlp;
 *   pts_mlp_build(&mlp, 512, layers, 5, 43, team, &err);        // 512 inputs, seed 43
 *   pts_mlp_training training = PTS_MLP_TRAINING_DEFAULTS;      // Adam, mean squared error
 *   pts_mlp_schedule schedule = {PTS_MLP_COSINE, 1e-3, 0, 0, 10000};
 *   for (each mini-batch) {
 *       training.rate = pts_mlp_rate(&schedule, pts_mlp_steps(mlp));
 *       pts_mlp_step(mlp, x, target, rows, &training, &loss, &err);
 *   }
 *   pts_mlp_forward(mlp, x, rows, y, &err);
 *   pts_mlp_destroy(mlp);
 *
 * All numbers are float32, all sums of the loss and of norms double. Everything follows the seed
 * and the order of the calls; no bit depends on the number of threads, or of processes
 * (pts_mlp_share). One object is for one
 * thread at a time; a team may be NULL (the calling thread alone). Memory: 8 bytes a parameter, 16
 * once it is trained, 20 with clipping or gradients asked for, and what a batch leaves behind.
 *
 * Layers, losses and rules are PyTorch's (torch.nn, torch.optim 2.x, their defaults), which the
 * tests compare with: forward and backward in pairs after llm.c (Karpathy 2024). */
#ifndef PTS_MLP_H
#define PTS_MLP_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pts_mlp_kind {
    PTS_MLP_LINEAR, /* y = x·W + b, W [inputs][outputs] */
    PTS_MLP_RELU,   /* max(0, x) */
    PTS_MLP_GELU,   /* x·Φ(x), exact (Hendrycks and Gimpel 2016) */
    PTS_MLP_TANH,
    PTS_MLP_DROPOUT,    /* in training only, what stays is divided by the share that stays
                           (Srivastava et al. 2014) */
    PTS_MLP_LAYER_NORM, /* over the values of a row (Ba, Kiros, Hinton 2016), then gain and shift */
    PTS_MLP_KINDS
} pts_mlp_kind;

typedef struct pts_mlp_layer {
    pts_mlp_kind kind;
    size_t outputs; /* linear: 1 … 1048576; the others keep their inputs' number */
    double value; /* dropout: share that is dropped, 0 … below 1; layer norm: epsilon, above 0 */
} pts_mlp_layer;

#define PTS_MLP_LAYERS_MAX 64
#define PTS_MLP_PARAMETERS_MAX 268435456
#define PTS_MLP_ROWS_MAX 65536

typedef struct pts_mlp pts_mlp;

/* Linear weights start as He et al. 2015 have it ("Delving deep into rectifiers", fan in, normal),
 * gains at one, the rest at zero. The last layer's values are the outputs. The team is borrowed.
 * PTS_ERR_ARGUMENT, PTS_ERR_LIMIT or PTS_ERR_MEMORY. */
pts_status pts_mlp_build(pts_mlp **out, size_t inputs, const pts_mlp_layer *layers, size_t count,
                         uint64_t seed, pts_team *team, pts_error *err);
/* The plain case, sizes [layers + 1]: linear layers with a ReLU between them, none after the
 * last. */
pts_status pts_mlp_create(pts_mlp **out, const size_t *sizes, size_t layers, uint64_t seed,
                          pts_team *team, pts_error *err);
void pts_mlp_destroy(pts_mlp *mlp);
/* Goes on in the calling thread alone, so that the team may be destroyed. */
void pts_mlp_release_team(pts_mlp *mlp);

size_t pts_mlp_inputs(const pts_mlp *mlp);
size_t pts_mlp_outputs(const pts_mlp *mlp);

/* All parameters in one array, layer by layer: of a linear layer weight [in][out] then bias [out],
 * of a layer norm gain then shift. The caller may read and change them until
 * the next call that uses the network; training keeps them in another order, so asking after each
 * step costs a copy. */
size_t pts_mlp_parameter_count(const pts_mlp *mlp);
float *pts_mlp_parameters(pts_mlp *mlp);

/* The linear layers alone, numbered from 0; size 0 is the inputs, size i + 1 layer i's outputs. */
size_t pts_mlp_layers(const pts_mlp *mlp);
size_t pts_mlp_size(const pts_mlp *mlp, size_t index);
float *pts_mlp_weight(pts_mlp *mlp, size_t layer);
float *pts_mlp_bias(pts_mlp *mlp, size_t layer);

/* ---- Using it ---- */

/* x [rows][inputs] → y [rows][outputs], rows 1 … PTS_MLP_ROWS_MAX, nothing dropped. */
pts_status pts_mlp_forward(pts_mlp *mlp, const float *x, size_t rows, float *y, pts_error *err);

/* ---- Training ---- */

typedef enum pts_mlp_rule {
    PTS_MLP_ADAM,  /* Kingma and Ba 2015; decay adds weight_decay·w to the gradient */
    PTS_MLP_ADAMW, /* Loshchilov and Hutter 2019: decay takes rate·weight_decay·w off the weight */
    PTS_MLP_SGD    /* with momentum; decay as in Adam */
} pts_mlp_rule;

/* How a step learns. */
typedef struct pts_mlp_training {
    pts_mlp_rule rule;
    double rate, beta1, beta2, epsilon; /* the last three of Adam and AdamW */
    double momentum;                    /* SGD */
    double weight_decay;
    double clip;  /* the gradient of all parameters is scaled down to this norm; 0: left alone */
    double huber; /* δ of the Huber loss; 0: mean squared error */
} pts_mlp_training;

#define PTS_MLP_TRAINING_DEFAULTS                                                                  \
    {                                                                                              \
        PTS_MLP_ADAM, 1e-3, 0.9, 0.999, 1e-8, 0, 0, 0, 0                                           \
    }

/* One step on a mini-batch; *loss is that before it: the mean over rows and outputs of (y −
 * target)², or of Huber's ½(y − target)² up to δ and δ·(|y − target| − ½δ) beyond.
 * PTS_ERR_NUMERIC when it is not finite: the parameters are then left as they were. */
pts_status pts_mlp_step(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                        const pts_mlp_training *training, double *loss, pts_error *err);

/* The same loss and its gradient [parameters], as the next step would have them (dropout draws the
 * same), without the step. */
pts_status pts_mlp_gradient(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                            double huber, float *gradient, double *loss, pts_error *err);

/* For a loss of the caller's own: forward as the next step has it, dropout and all; then dy
 * [rows][outputs], the loss's gradient by y, for the same x and rows. With `training` (huber is
 * not used) backward makes a step, without it writes gradient [parameters]; the other one may be
 * NULL. PTS_ERR_NUMERIC where dy is not finite: nothing is changed. */
pts_status pts_mlp_forward_training(pts_mlp *mlp, const float *x, size_t rows, float *y,
                                    pts_error *err);
pts_status pts_mlp_backward(pts_mlp *mlp, const float *x, const float *dy, size_t rows,
                            const pts_mlp_training *training, float *gradient, pts_error *err);

/* ---- The learning rate over the steps ---- */

typedef enum pts_mlp_decay {
    PTS_MLP_CONSTANT,
    PTS_MLP_COSINE, /* from rate to least along half a cosine of `period` steps, then least
                       (Loshchilov and Hutter 2017, "SGDR", without restarts) */
    PTS_MLP_STEPS   /* times `factor` after each `period` steps */
} pts_mlp_decay;

typedef struct pts_mlp_schedule {
    pts_mlp_decay kind;
    double rate, least, factor;
    size_t period; /* 1 or more, unless constant */
} pts_mlp_schedule;

/* The rate of the step that `steps` others went before. */
double pts_mlp_rate(const pts_mlp_schedule *schedule, uint64_t steps);

/* ---- Interrupting and going on ---- */

/* Steps made so far: Adam's correction and what dropout draws follow their number. With the
 * parameters, the seed, this number and the moments [2][parameters] written back, training goes on
 * bit for bit. In a network that is shared all processes ask for the moments together. */
uint64_t pts_mlp_steps(const pts_mlp *mlp);
void pts_mlp_set_steps(pts_mlp *mlp, uint64_t steps);
pts_status pts_mlp_get_moments(pts_mlp *mlp, float *moments, pts_error *err);
pts_status pts_mlp_set_moments(pts_mlp *mlp, const float *moments, pts_error *err);

/* ---- Several processes that train as one ---- */

/* How they reach each other. `gather` fills bytes [begin[r], begin[r + 1]) of data from process r's
 * data, on every process, begin [count + 1]: pts_ranks_gather. */
typedef struct pts_peers {
    int rank, count;
    pts_status (*gather)(void *user, void *data, const size_t *begin, pts_error *err);
    void *user;
} pts_peers;

/* From here on training (steps, gradients, forward_training, backward, moments) is done by all
 * processes together: each makes the same calls with the same whole batch, on a network that was
 * built alike and has the same parameters. What comes out is in each, bit for bit, what one process
 * alone would have. pts_mlp_forward stays everyone's own business.
 *
 * What threads share, processes share: a linear layer's outputs, the gradient by its inputs, and
 * that of its weights are computed in tiles that do not depend on how many take part, each in one
 * order of sums. A process computes its tiles for all rows and hands them on; the rest
 * (activations, norms, dropout by a row's number, biases, loss) is cheap, and each does all of it.
 * Optimiser and moments of a weight are its owner's alone, as in ZeRO (Rajbhandari et al. 2020).
 * Per step a process receives, (count − 1)/count of each: 4 bytes a weight, rows·4 bytes an output
 * and an input of every linear layer but the first one's inputs, 8 bytes for each 256 rows of a
 * weight with clipping. A layer of n inputs has n/256 tiles to share out, of n outputs n/256: more
 * processes than that have nothing to do there.
 *
 * Borrows what peers->user points to. All must run at one CPU level, whose sums are its own, else
 * PTS_ERR_UNSUPPORTED. PTS_ERR_ARGUMENT for a rank that is not below count. */
pts_status pts_mlp_share(pts_mlp *mlp, const pts_peers *peers, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
