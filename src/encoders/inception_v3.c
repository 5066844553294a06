/* InceptionV3 (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016: "Rethinking the Inception
 * Architecture for Computer Vision"), the backbone up to the global average pool.
 *
 * Blocks and branches carry torchvision's names; Keras builds the same 94 convolutions in the
 * same order. Batch norm is folded into weights and biases at conversion. Sides in the comments
 * are those of a 299×299 input; any larger one runs fully convolutionally. */
#include "encoders/inception_v3.h"

/* {height, width, stride, pad_y, pad_x} */
static const pts_window K1 = {1, 1, 1, 0, 0};
static const pts_window K3 = {3, 3, 1, 1, 1}, K3_VALID = {3, 3, 1, 0, 0}, K3_HALF = {3, 3, 2, 0, 0};
static const pts_window K5 = {5, 5, 1, 2, 2};
static const pts_window K1X7 = {1, 7, 1, 0, 3}, K7X1 = {7, 1, 1, 3, 0};
static const pts_window K1X3 = {1, 3, 1, 0, 1}, K3X1 = {3, 1, 1, 1, 0};

static size_t half(size_t side)
{
    return pts_window_side(side, 3, 2, 0);
}

static pts_feature_map stem_conv(network *net, const char *name, pts_feature_map x, pts_window k,
                                 size_t channels)
{
    pts_feature_map y =
        pts_network_output(net, pts_window_side(x.height, k.height, k.stride, k.pad_y),
                           pts_window_side(x.width, k.width, k.stride, k.pad_x), channels);
    pts_network_conv(net, name, NULL, x, k, y);
    pts_network_tap(net, name, y);
    return y;
}

static pts_feature_map stem_pool(network *net, const char *name, pts_feature_map x)
{
    pts_feature_map y = pts_network_output(net, half(x.height), half(x.width), x.channels);
    pts_network_max_pool(net, x, K3_HALF, y);
    pts_network_tap(net, name, y);
    return y;
}

/* The first two of a "double" 3×3 branch, 1×1 to `narrow` channels and 3×3, in scratch map 1. */
static pts_feature_map double_3x3(network *net, const char *name, pts_feature_map x, size_t narrow,
                                  size_t channels)
{
    pts_feature_map t = pts_network_conv_scratch(net, name, "branch3x3dbl_1", x, K1, narrow, 0);
    return pts_network_conv_scratch(net, name, "branch3x3dbl_2", t, K3, channels, 1);
}

/* The output of a reduction: `channels`, and behind them the input's. */
static pts_feature_map reduced(network *net, pts_feature_map x, size_t channels)
{
    return pts_network_output(net, half(x.height), half(x.width), channels + x.channels);
}

/* Mixed_5b … 5d: 35×35; 64 + 64 + 96 + pool. */
static pts_feature_map inception_a(network *net, const char *name, pts_feature_map x, size_t pool)
{
    pts_feature_map y = pts_network_output(net, x.height, x.width, 64 + 64 + 96 + pool), t;
    pts_network_conv(net, name, "branch1x1", x, K1, pts_network_slice(y, 0, 64));

    t = pts_network_conv_scratch(net, name, "branch5x5_1", x, K1, 48, 0);
    pts_network_conv(net, name, "branch5x5_2", t, K5, pts_network_slice(y, 64, 64));

    t = double_3x3(net, name, x, 64, 96);
    pts_network_conv(net, name, "branch3x3dbl_3", t, K3, pts_network_slice(y, 128, 96));

    pts_network_pooled_conv(net, name, "branch_pool", x, K3, pts_network_slice(y, 224, pool));
    pts_network_tap(net, name, y);
    return y;
}

/* Mixed_6a: 35×35 → 17×17; 384 + 96 + the input. */
static pts_feature_map reduction_a(network *net, const char *name, pts_feature_map x)
{
    pts_feature_map y = reduced(net, x, 384 + 96), t;
    pts_network_conv(net, name, "branch3x3", x, K3_HALF, pts_network_slice(y, 0, 384));

    t = double_3x3(net, name, x, 64, 96);
    pts_network_conv(net, name, "branch3x3dbl_3", t, K3_HALF, pts_network_slice(y, 384, 96));

    pts_network_max_pool(net, x, K3_HALF, pts_network_slice(y, 480, x.channels));
    pts_network_tap(net, name, y);
    return y;
}

/* Mixed_6b … 6e: 17×17; four times 192, with 7×7 factored into 1×7 and 7×1 of `c` channels. */
static pts_feature_map inception_b(network *net, const char *name, pts_feature_map x, size_t c)
{
    pts_feature_map y = pts_network_output(net, x.height, x.width, 4 * 192), t;
    pts_network_conv(net, name, "branch1x1", x, K1, pts_network_slice(y, 0, 192));

    t = pts_network_conv_scratch(net, name, "branch7x7_1", x, K1, c, 0);
    t = pts_network_conv_scratch(net, name, "branch7x7_2", t, K1X7, c, 1);
    pts_network_conv(net, name, "branch7x7_3", t, K7X1, pts_network_slice(y, 192, 192));

    t = pts_network_conv_scratch(net, name, "branch7x7dbl_1", x, K1, c, 0);
    t = pts_network_conv_scratch(net, name, "branch7x7dbl_2", t, K7X1, c, 1);
    t = pts_network_conv_scratch(net, name, "branch7x7dbl_3", t, K1X7, c, 0);
    t = pts_network_conv_scratch(net, name, "branch7x7dbl_4", t, K7X1, c, 1);
    pts_network_conv(net, name, "branch7x7dbl_5", t, K1X7, pts_network_slice(y, 384, 192));

    pts_network_pooled_conv(net, name, "branch_pool", x, K3, pts_network_slice(y, 576, 192));
    pts_network_tap(net, name, y);
    return y;
}

/* Mixed_7a: 17×17 → 8×8; 320 + 192 + the input. */
static pts_feature_map reduction_b(network *net, const char *name, pts_feature_map x)
{
    pts_feature_map y = reduced(net, x, 320 + 192), t;
    t = pts_network_conv_scratch(net, name, "branch3x3_1", x, K1, 192, 0);
    pts_network_conv(net, name, "branch3x3_2", t, K3_HALF, pts_network_slice(y, 0, 320));

    t = pts_network_conv_scratch(net, name, "branch7x7x3_1", x, K1, 192, 0);
    t = pts_network_conv_scratch(net, name, "branch7x7x3_2", t, K1X7, 192, 1);
    t = pts_network_conv_scratch(net, name, "branch7x7x3_3", t, K7X1, 192, 0);
    pts_network_conv(net, name, "branch7x7x3_4", t, K3_HALF, pts_network_slice(y, 320, 192));

    pts_network_max_pool(net, x, K3_HALF, pts_network_slice(y, 512, x.channels));
    pts_network_tap(net, name, y);
    return y;
}

/* Mixed_7b, 7c: 8×8; 320 + (384 + 384) + (384 + 384) + 192. */
static pts_feature_map inception_c(network *net, const char *name, pts_feature_map x)
{
    pts_feature_map y = pts_network_output(net, x.height, x.width, INCEPTION_V3_DIM), t;
    pts_network_conv(net, name, "branch1x1", x, K1, pts_network_slice(y, 0, 320));

    t = pts_network_conv_scratch(net, name, "branch3x3_1", x, K1, 384, 0);
    pts_network_conv(net, name, "branch3x3_2a", t, K1X3, pts_network_slice(y, 320, 384));
    pts_network_conv(net, name, "branch3x3_2b", t, K3X1, pts_network_slice(y, 704, 384));

    t = double_3x3(net, name, x, 448, 384);
    pts_network_conv(net, name, "branch3x3dbl_3a", t, K1X3, pts_network_slice(y, 1088, 384));
    pts_network_conv(net, name, "branch3x3dbl_3b", t, K3X1, pts_network_slice(y, 1472, 384));

    pts_network_pooled_conv(net, name, "branch_pool", x, K3, pts_network_slice(y, 1856, 192));
    pts_network_tap(net, name, y);
    return y;
}

void pts_inception_v3_forward(network *net, pts_feature_map image, float *embedding)
{
    pts_feature_map x = stem_conv(net, "Conv2d_1a_3x3", image, K3_HALF, 32); /* 149×149 */
    x = stem_conv(net, "Conv2d_2a_3x3", x, K3_VALID, 32);                    /* 147×147 */
    x = stem_conv(net, "Conv2d_2b_3x3", x, K3, 64);
    x = stem_pool(net, "maxpool1", x); /* 73×73 */
    x = stem_conv(net, "Conv2d_3b_1x1", x, K1, 80);
    x = stem_conv(net, "Conv2d_4a_3x3", x, K3_VALID, 192); /* 71×71 */
    x = stem_pool(net, "maxpool2", x);                     /* 35×35 */
    x = inception_a(net, "Mixed_5b", x, 32);               /* 256 */
    x = inception_a(net, "Mixed_5c", x, 64);               /* 288 */
    x = inception_a(net, "Mixed_5d", x, 64);
    x = reduction_a(net, "Mixed_6a", x); /* 17×17×768 */
    x = inception_b(net, "Mixed_6b", x, 128);
    x = inception_b(net, "Mixed_6c", x, 160);
    x = inception_b(net, "Mixed_6d", x, 160);
    x = inception_b(net, "Mixed_6e", x, 192);
    x = reduction_b(net, "Mixed_7a", x); /* 8×8×1280 */
    x = inception_c(net, "Mixed_7b", x); /* 8×8×2048 */
    x = inception_c(net, "Mixed_7c", x);
    pts_network_global_average(net, x, embedding);
}
