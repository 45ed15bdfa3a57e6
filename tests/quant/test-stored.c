/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-layout.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-safetensors.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

#define ROWS    64
#define COLUMNS 256

/* A file that is being put together. */
typedef struct
{
  GString    *header;
  GByteArray *data;
} Builder;

static Builder
builder_new (void)
{
  return (Builder) { g_string_new ("{"), g_byte_array_new () };
}

static void
add (Builder       *self,
     const char    *name,
     const char    *type,
     const char    *shape,
     gconstpointer  bytes,
     gsize          n)
{
  g_string_append_printf (self->header,
                          "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%u,%u]}",
                          self->header->len > 1 ? "," : "", name, type, shape, self->data->len,
                          self->data->len + (guint) n);
  g_byte_array_append (self->data, bytes, (guint) n);
}

/* The tensors of the file, put together by what @config says. */
static GPtrArray *
finish (Builder     *self,
        const char  *config,
        GError     **error)
{
  g_autoptr(GByteArray) all = g_byte_array_new ();
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(TareFile) file = NULL;
  g_autoptr(JsonNode) node = config != NULL ? json_from_string (config, NULL) : NULL;
  g_autoptr(GError) fault = NULL;
  guint64 length;

  g_string_append_c (self->header, '}');
  length = GUINT64_TO_LE ((guint64) self->header->len);
  g_byte_array_append (all, (const guint8 *) &length, 8);
  g_byte_array_append (all, (const guint8 *) self->header->str, (guint) self->header->len);
  g_byte_array_append (all, self->data->data, self->data->len);
  bytes = g_byte_array_free_to_bytes (g_steal_pointer (&all));
  file = tare_file_new_bytes ("w.safetensors", bytes);
  tare_safetensors_read (file, tensors, &fault);
  g_assert_no_error (fault);
  g_string_free (self->header, TRUE);
  g_byte_array_unref (self->data);

  tare_stored_gather (tensors, node != NULL ? json_node_get_object (node) : NULL, "config.json",
                      error);

  return g_steal_pointer (&tensors);
}

static const TareTensor *
find (GPtrArray  *tensors,
      const char *name)
{
  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);

      if (g_str_equal (tensor->name, name))
        return tensor;
    }

  return NULL;
}

/* The numbers of the vectors that were made with the reference packers. */
static guint32
draw (guint32 *state)
{
  *state = *state * 1664525u + 1013904223u;

  return *state >> 8;
}

static guint8 *
draw_codes (guint bits)
{
  guint8 *codes = g_new (guint8, ROWS * COLUMNS);
  guint32 state = 4242 + bits;

  for (gsize i = 0; i < ROWS * COLUMNS; i++)
    codes[i] = (guint8) (draw (&state) % (1u << bits));

  return codes;
}

/* Zero points of at least 1, by outputs and then groups of 64 inputs. */
static guint8 *
draw_zeros (guint bits)
{
  guint8 *zeros = g_new (guint8, ROWS * 4);
  guint32 state = 99 + bits;

  for (gsize i = 0; i < ROWS * 4; i++)
    zeros[i] = (guint8) (1 + draw (&state) % ((1u << bits) - 1));

  return zeros;
}

/* Bit by bit, as the specification says it: value i of a line has the bits from i b on, and bit 0
 * is the lowest of the first word. @get gives value @i of line @line; words of a line are @stride
 * apart, lines @line_stride. */
static guint32 *
pack (guint         lines,
      guint         n,
      guint         bits,
      gsize         stride,
      gsize         line_stride,
      const guint8 *codes,
      gsize         code_stride,
      gsize         code_line_stride,
      gsize        *n_words)
{
  gsize per_line = ((gsize) n * bits + 31) / 32;
  guint32 *words;

  *n_words = per_line * lines;
  words = g_new0 (guint32, *n_words);
  for (guint line = 0; line < lines; line++)
    for (guint i = 0; i < n; i++)
      for (guint bit = 0; bit < bits; bit++)
        {
          gsize position = (gsize) i * bits + bit;

          if (codes[line * code_line_stride + i * code_stride] >> bit & 1)
            words[line * line_stride + position / 32 * stride] |= 1u << position % 32;
        }

  return words;
}

static char *
shape (gsize rows,
       gsize columns)
{
  return g_strdup_printf ("%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT, rows, columns);
}

static void
check_values (const TareTensor *tensor,
              const float      *expected)
{
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *values = g_new (float, n);
  g_autofree float *row = g_new (float, tensor->columns);
  g_autoptr(GError) error = NULL;

  tare_tensor_read (tensor, values, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat (values[i], ==, expected[i]);

  for (gsize i = 0; i < tensor->rows; i += 5)
    {
      g_assert_true (tare_tensor_read_rows (tensor, i, 1, row, NULL));
      g_assert_cmpmem (row, tensor->columns * sizeof *row, expected + i * tensor->columns,
                       tensor->columns * sizeof *row);
    }
}

/* A scale for each output and group that is a power of two, so that it does not round. */
static float
make_scale (gsize row,
            gsize group)
{
  return ldexpf (1.0f, (int) (row % 5) - 3 - (int) group);
}

static float *
expect (const guint8 *codes,
        const guint8 *zeros,
        float         zero)
{
  float *expected = g_new (float, ROWS * COLUMNS);

  for (gsize i = 0; i < ROWS; i++)
    for (gsize j = 0; j < COLUMNS; j++)
      expected[i * COLUMNS + j] = ((float) codes[i * COLUMNS + j]
                                   - (zeros != NULL ? (float) zeros[i * 4 + j / 64] : zero))
                                  * make_scale (i, j / 64);

  return expected;
}

/* compressed-tensors: outputs by groups; GPTQ and AWQ: groups by outputs. */
static void
add_scales (Builder    *builder,
            const char *name,
            gboolean    upright)
{
  float scales[ROWS * 4];
  g_autofree char *dimensions = upright ? shape (4, ROWS) : shape (ROWS, 4);

  for (gsize i = 0; i < ROWS; i++)
    for (gsize group = 0; group < 4; group++)
      scales[upright ? group * ROWS + i : i * 4 + group] = make_scale (i, group);
  add (builder, name, "F32", dimensions, scales, sizeof scales);
}

static const struct
{
  guint   bits;
  guint64 packed;
  guint64 down;
} packed_hashes[] = {
  { 2, G_GUINT64_CONSTANT (0xda527adcb2c5d7a5), G_GUINT64_CONSTANT (0x229dc9b233aedd85) },
  { 3, G_GUINT64_CONSTANT (0x3e6defdd3b47e865), G_GUINT64_CONSTANT (0x1f5077d3ce9a1135) },
  { 4, G_GUINT64_CONSTANT (0xe418955f86563825), G_GUINT64_CONSTANT (0xc979236fc43fd8e5) },
  { 8, G_GUINT64_CONSTANT (0x5f9392c3284f68a5), G_GUINT64_CONSTANT (0x24f77973ba0ae325) },
};

/* compressed-tensors with and without zero points; the words are what its own packer makes. */
static void
test_pack_quantized (void)
{
  for (gsize k = 0; k < G_N_ELEMENTS (packed_hashes); k++)
    for (gboolean asymmetric = FALSE; asymmetric <= TRUE; asymmetric++)
      {
        guint bits = packed_hashes[k].bits;
        Builder builder = builder_new ();
        const gint64 dimensions[] = { ROWS, COLUMNS };
        g_autofree guint8 *codes = draw_codes (bits);
        g_autofree guint8 *zeros = draw_zeros (bits);
        g_autofree guint32 *words = NULL, *down = NULL, *zero_words = NULL;
        g_autofree float *expected = expect (codes, asymmetric ? zeros : NULL,
                                             (float) (1u << (bits - 1)));
        g_autofree char *width = shape (ROWS, COLUMNS * bits / 32);
        g_autofree char *zero_width = shape (ROWS * bits / 32, 4);
        g_autoptr(GPtrArray) tensors = NULL;
        g_autoptr(GError) error = NULL;
        gsize n;

        down = pack (COLUMNS, ROWS, bits, COLUMNS, 1, codes, COLUMNS, 1, &n);
        g_assert_cmphex (tare_test_hash (down, 4 * n), ==, packed_hashes[k].down);
        words = pack (ROWS, COLUMNS, bits, 1, COLUMNS * bits / 32, codes, 1, COLUMNS, &n);
        g_assert_cmphex (tare_test_hash (words, 4 * n), ==, packed_hashes[k].packed);
        add (&builder, "l.weight_packed", "I32", width, words, 4 * n);
        add_scales (&builder, "l.weight_scale", FALSE);
        add (&builder, "l.weight_shape", "I64", "2", dimensions, sizeof dimensions);
        if (asymmetric)
          {
            zero_words = pack (4, ROWS, bits, 4, 1, zeros, 4, 1, &n);
            add (&builder, "l.weight_zero_point", "I32", zero_width, zero_words, 4 * n);
          }

        tensors = finish (&builder, NULL, &error);
        g_assert_no_error (error);
        g_assert_cmpuint (tensors->len, ==, 1);
        check_values (find (tensors, "l.weight"), expected);
      }
}

/* Up to 2025 a word had only whole codes: of 3 bits ten, and 2 bits unused. */
static void
test_padded (void)
{
  Builder builder = builder_new ();
  g_autofree guint8 *codes = draw_codes (3);
  g_autofree guint32 *words = g_new0 (guint32, ROWS * 26);
  g_autofree float *expected = expect (codes, NULL, 4.0f);
  const gint64 dimensions[] = { ROWS, COLUMNS };
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;

  for (gsize i = 0; i < ROWS; i++)
    for (gsize j = 0; j < COLUMNS; j++)
      words[i * 26 + j / 10] |= (guint32) codes[i * COLUMNS + j] << 3 * (j % 10);
  add (&builder, "l.weight_packed", "I32", "64,26", words, ROWS * 26 * 4);
  add_scales (&builder, "l.weight_scale", FALSE);
  add (&builder, "l.weight_shape", "I64", "2", dimensions, sizeof dimensions);
  tensors = finish (&builder, NULL, &error);
  g_assert_no_error (error);
  check_values (find (tensors, "l.weight"), expected);
}

static const struct
{
  guint   bits;
  guint64 codes;
  guint64 zeros;
  guint64 zeros_v1;
} gptq_hashes[] = {
  { 2, G_GUINT64_CONSTANT (0xcc9195638a60ab25), G_GUINT64_CONSTANT (0x8ea425e80ccc5f10),
    G_GUINT64_CONSTANT (0xd46cd020b5f5ff3e) },
  { 3, G_GUINT64_CONSTANT (0xbf8f19d122f3ac85), G_GUINT64_CONSTANT (0xd7d0cf4e97caa377),
    G_GUINT64_CONSTANT (0xc575a97cdf04f75e) },
  { 4, G_GUINT64_CONSTANT (0xdd28e37eedfc12a5), G_GUINT64_CONSTANT (0x1abf274e22a4f936),
    G_GUINT64_CONSTANT (0x9778073b85d6df9c) },
  { 8, G_GUINT64_CONSTANT (0xda361aa58ac4c3a5), G_GUINT64_CONSTANT (0x722cfbe3599a220f),
    G_GUINT64_CONSTANT (0x867d4122e3552b47) },
};

static void
check_gptq (gsize    k,
            gboolean v2)
{
  guint bits = gptq_hashes[k].bits;
  Builder builder = builder_new ();
  g_autofree guint8 *codes = draw_codes (bits);
  g_autofree guint8 *zeros = draw_zeros (bits);
  g_autofree guint32 *words = NULL, *zero_words = NULL;
  g_autofree float *expected = expect (codes, zeros, 0.0f);
  g_autofree char *height = shape (COLUMNS * bits / 32, ROWS);
  g_autofree char *zero_width = shape (4, ROWS * bits / 32);
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;
  gsize n;

  words = pack (ROWS, COLUMNS, bits, ROWS, 1, codes, 1, COLUMNS, &n);
  g_assert_cmphex (tare_test_hash (words, 4 * n), ==, gptq_hashes[k].codes);
  add (&builder, "l.qweight", "I32", height, words, 4 * n);
  for (gsize i = 0; i < ROWS * 4 && !v2; i++)
    zeros[i]--;
  zero_words = pack (4, ROWS, bits, 1, ROWS * bits / 32, zeros, 4, 1, &n);
  g_assert_cmphex (tare_test_hash (zero_words, 4 * n), ==,
                   v2 ? gptq_hashes[k].zeros : gptq_hashes[k].zeros_v1);
  add (&builder, "l.qzeros", "I32", zero_width, zero_words, 4 * n);
  add_scales (&builder, "l.scales", TRUE);

  tensors = finish (&builder, v2 ? "{\"quant_method\":\"gptq\",\"checkpoint_format\":\"gptq_v2\"}"
                                 : "{\"quant_method\":\"gptq\"}", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tensors->len, ==, 1);
  check_values (find (tensors, "l.weight"), expected);
}

static void
test_gptq (void)
{
  for (gsize k = 0; k < G_N_ELEMENTS (gptq_hashes); k++)
    {
      check_gptq (k, FALSE);
      check_gptq (k, TRUE);
    }
}

/* Act-order: a column's group is not that of its place. A group that there is not is refused when
 * the weights are read. */
static void
test_groups (void)
{
  Builder builder = builder_new ();
  g_autofree guint8 *codes = draw_codes (4);
  g_autofree guint32 *words = NULL;
  g_autofree float *expected = g_new (float, ROWS * COLUMNS);
  guint32 groups[COLUMNS], zeros[4 * ROWS / 8], bad[COLUMNS];
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;
  gsize n;

  for (guint j = 0; j < COLUMNS; j++)
    {
      groups[j] = (j * 7 + 3) % 4;
      bad[j] = j == 200 ? 4 : groups[j];
      for (guint i = 0; i < ROWS; i++)
        expected[i * COLUMNS + j] = ((float) codes[i * COLUMNS + j] - 8.0f)
                                    * make_scale (i, groups[j]);
    }
  memset (zeros, 0x77, sizeof zeros);
  words = pack (ROWS, COLUMNS, 4, ROWS, 1, codes, 1, COLUMNS, &n);
  for (guint i = 0; i < 2; i++)
    {
      add (&builder, i == 0 ? "l.qweight" : "m.qweight", "I32", "32,64", words, 4 * n);
      add (&builder, i == 0 ? "l.qzeros" : "m.qzeros", "I32", "4,8", zeros, sizeof zeros);
      add_scales (&builder, i == 0 ? "l.scales" : "m.scales", TRUE);
      add (&builder, i == 0 ? "l.g_idx" : "m.g_idx", "I32", "256", i == 0 ? groups : bad,
           sizeof groups);
    }
  tensors = finish (&builder, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tensors->len, ==, 2);
  check_values (find (tensors, "l.weight"), expected);
  g_assert_cmpstr (find (tensors, "l.weight")->type_name, ==, "W4A16 g64 GPTQ");
  g_assert_false (tare_tensor_read (find (tensors, "m.weight"), expected, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_cmpstr (error->message, ==,
                   "w.safetensors: tensor 'm.g_idx' puts column 200 into group 4 of 4");
}

/* Eight outputs of one input to a word, the odd ones in its upper half. */
static void
test_awq (void)
{
  static const guint order[8] = { 0, 2, 4, 6, 1, 3, 5, 7 };
  Builder builder = builder_new ();
  g_autofree guint8 *codes = draw_codes (4);
  g_autofree guint8 *zeros = draw_zeros (4);
  g_autofree guint32 *words = g_new0 (guint32, COLUMNS * ROWS / 8);
  g_autofree guint32 *zero_words = g_new0 (guint32, 4 * ROWS / 8);
  g_autofree float *expected = expect (codes, zeros, 0.0f);
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;

  for (gsize i = 0; i < COLUMNS * ROWS / 8; i++)
    for (gsize k = 0; k < 8; k++)
      {
        gsize output = i % (ROWS / 8) * 8 + order[k];

        words[i] |= (guint32) codes[output * COLUMNS + i / (ROWS / 8)] << 4 * k;
        if (i < 4 * ROWS / 8)
          zero_words[i] |= (guint32) zeros[output * 4 + i / (ROWS / 8)] << 4 * k;
      }
  g_assert_cmphex (words[0], ==, 0xdb97420e);
  g_assert_cmphex (tare_test_hash (words, COLUMNS * ROWS / 2), ==,
                   G_GUINT64_CONSTANT (0x7ab421b218a5ca25));
  g_assert_cmphex (tare_test_hash (zero_words, 4 * ROWS / 2), ==,
                   G_GUINT64_CONSTANT (0x094cf47ede8e1a76));
  add (&builder, "l.qweight", "I32", "256,8", words, COLUMNS * ROWS / 2);
  add (&builder, "l.qzeros", "I32", "4,8", zero_words, 4 * ROWS / 2);
  add_scales (&builder, "l.scales", TRUE);
  tensors = finish (&builder, "{\"quant_method\":\"awq\",\"version\":\"gemm\"}", &error);
  g_assert_no_error (error);
  check_values (find (tensors, "l.weight"), expected);
  g_assert_cmpstr (find (tensors, "l.weight")->type_name, ==, "W4A16 g64 AWQ");
}

/* Worked out by hand. */
static void
test_bytes (void)
{
  static const gint8 integers[] = { 1, -2, 127, -128, 0, 5 };
  static const guint8 floats[] = { 0x00, 0x01, 0x08, 0x38, 0x7e, 0xb8 };
  static const float scales[] = { 0.5f, 2.0f };
  static const float all[] = { 0.25f };
  static const float of_integers[] = { 0.5f, -1.0f, 63.5f, -256.0f, 0.0f, 10.0f };
  static const float of_floats[] = { 0.0f, 0x1p-11f, 0x1p-8f, 0.25f, 112.0f, -0.25f };
  Builder builder = builder_new ();
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;

  add (&builder, "i.weight", "I8", "2,3", integers, 6);
  add (&builder, "i.weight_scale", "F32", "2,1", scales, 8);
  add (&builder, "i.input_scale", "F32", "1", all, 4);
  add (&builder, "f.weight", "F8_E4M3", "2,3", floats, 6);
  add (&builder, "f.weight_scale", "F32", "", all, 4);
  add (&builder, "other.weight", "F32", "1", all, 4);
  tensors = finish (&builder, "{\"quant_method\":\"compressed-tensors\"}", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tensors->len, ==, 3);
  check_values (find (tensors, "i.weight"), of_integers);
  check_values (find (tensors, "f.weight"), of_floats);
  g_assert_cmpstr (find (tensors, "i.weight")->type_name, ==, "W8A8 channel");
  g_assert_cmpstr (find (tensors, "f.weight")->type_name, ==, "FP8 E4M3 tensor");
  g_assert_cmpuint (find (tensors, "f.weight")->bytes, ==, 10);
}

/* Blocks of 2 x 2, of which the last ones are cut off. */
static void
test_blocks (void)
{
  static const guint8 floats[] = { 0x38, 0x38, 0x38, 0x38, 0x38, 0x38, 0x38, 0x38, 0x38 };
  static const float scales[] = { 1.0f, 2.0f, 3.0f, 4.0f };
  static const float expected[] = { 1.0f, 1.0f, 2.0f, 1.0f, 1.0f, 2.0f, 3.0f, 3.0f, 4.0f };
  Builder builder = builder_new ();
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;

  add (&builder, "f.weight", "F8_E4M3", "3,3", floats, 9);
  add (&builder, "f.weight_scale_inv", "F32", "2,2", scales, 16);
  tensors = finish (&builder, "{\"quant_method\":\"fp8\",\"weight_block_size\":[2,2]}", &error);
  g_assert_no_error (error);
  check_values (find (tensors, "f.weight"), expected);
  g_assert_cmpstr (find (tensors, "f.weight")->type_name, ==, "FP8 E4M3 2x2");
}

/* Two to a byte, the first in the low half; NVFP4's scales are divided by the one of the matrix,
 * in ModelOpt's files multiplied with it. */
static void
test_nibbles (void)
{
  guint8 codes[32], nvidia[] = { 0x38, 0x40, 0x30, 0x28 }, powers[] = { 127, 130 };
  const float global = 4.0f, scale2 = 0.25f;
  static const float levels[] = { 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f };
  float nvfp4[64], mxfp4[64];
  Builder builder = builder_new ();
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < 64; i++)
    {
      static const float of_nvidia[] = { 0.25f, 0.5f, 0.125f, 0.0625f };
      guint code = (i * 5 + 1) % 16;
      float level = code < 8 ? levels[code] : -levels[code - 8];

      codes[i / 2] = (guint8) (i % 2 == 0 ? code : codes[i / 2] | code << 4);
      nvfp4[i] = level * of_nvidia[i / 16];
      mxfp4[i] = level * (i < 32 ? 1.0f : 8.0f);
    }
  add (&builder, "n.weight_packed", "U8", "2,16", codes, 32);
  add (&builder, "n.weight_scale", "F8_E4M3", "2,2", nvidia, 4);
  add (&builder, "n.weight_global_scale", "F32", "1", &global, 4);
  add (&builder, "o.weight", "U8", "2,16", codes, 32);
  add (&builder, "o.weight_scale", "F8_E4M3", "2,2", nvidia, 4);
  add (&builder, "o.weight_scale_2", "F32", "", &scale2, 4);
  add (&builder, "x.weight_packed", "U8", "2,16", codes, 32);
  add (&builder, "x.weight_scale", "U8", "2,1", powers, 2);
  tensors = finish (&builder, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tensors->len, ==, 3);
  check_values (find (tensors, "n.weight"), nvfp4);
  check_values (find (tensors, "o.weight"), nvfp4);
  check_values (find (tensors, "x.weight"), mxfp4);
}

/* The bits of a layer are those of its own group, by name before expression before class. */
static void
test_targets (void)
{
  const char *config = "{\"quant_method\":\"compressed-tensors\",\"config_groups\":{"
    "\"group_0\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4}},"
    "\"group_1\":{\"targets\":[\"re:.*b$\"],\"weights\":{\"num_bits\":8}},"
    "\"group_2\":{\"targets\":[\"l.bb\"],\"weights\":{\"num_bits\":2}}}}";
  static const char *const names[] = { "l.a", "l.b", "l.bb" };
  static const gsize columns[] = { 16, 8, 32 };
  static const guint32 words[4] = { 0 };
  static const float scales[] = { 1.0f, 1.0f };
  Builder builder = builder_new ();
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *codes = g_strconcat (names[i], ".weight_packed", NULL);
      g_autofree char *scale = g_strconcat (names[i], ".weight_scale", NULL);

      add (&builder, codes, "I32", "2,2", words, 16);
      add (&builder, scale, "F32", "2,1", scales, 8);
    }
  tensors = finish (&builder, config, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *name = g_strconcat (names[i], ".weight", NULL);

      g_assert_cmpuint (find (tensors, name)->columns, ==, columns[i]);
    }
}

/* Heads whose rotary halves are apart, heads in groups, and a matrix that is on its side. */
static void
test_order (void)
{
  Builder builder = builder_new ();
  guint8 codes[48];
  static const float one = 1.0f;
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(GError) error = NULL;
  TareTensor *tensor;
  float rows[48];

  for (guint i = 0; i < 48; i++)
    codes[i] = (guint8) i;
  add (&builder, "l.weight", "I8", "12,4", codes, 48);
  add (&builder, "l.weight_scale", "F32", "1", &one, 4);
  tensors = finish (&builder, NULL, &error);
  g_assert_no_error (error);
  tensor = g_ptr_array_index (tensors, 0);

  tensor->head_rows = 4;
  g_assert_true (tare_tensor_read_rows (tensor, 5, 2, rows, NULL));
  g_assert_cmpfloat (rows[0], ==, 6.0f * 4.0f);
  g_assert_cmpfloat (rows[4], ==, 5.0f * 4.0f);
  g_assert_true (tare_tensor_read (tensor, rows, NULL));
  g_assert_cmpfloat (rows[5 * 4], ==, 6.0f * 4.0f);
  g_assert_cmpfloat (rows[11 * 4 + 3], ==, 11.0f * 4.0f + 3.0f);

  /* Two groups of one query, a key and a value of two rows each. */
  tensor->head_rows = 2;
  tensor->head_groups = 2;
  g_assert_true (tare_tensor_read (tensor, rows, NULL));
  g_assert_cmpfloat (rows[2 * 4], ==, 6.0f * 4.0f);
  g_assert_cmpfloat (rows[4 * 4], ==, 2.0f * 4.0f);
  g_assert_cmpfloat (rows[11 * 4], ==, 11.0f * 4.0f);

  tensor->head_rows = tensor->head_groups = 0;
  tensor->transposed = TRUE;
  tensor->rows = tensor->shape[0] = 4;
  tensor->columns = tensor->shape[1] = 12;
  g_assert_true (tare_tensor_read (tensor, rows, NULL));
  for (guint i = 0; i < 48; i++)
    g_assert_cmpfloat (rows[i], ==, (float) (i % 12 * 4 + i / 12));
}

static void
check_fault (Builder    *builder,
             const char *config,
             const char *message)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) tensors = NULL;
  static const float one = 1.0f;

  add (builder, "good.weight", "I8", "1,4", "\1\2\3\4", 4);
  add (builder, "good.weight_scale", "F32", "1", &one, 4);
  tensors = finish (builder, config, &error);
  g_assert_nonnull (error);
  g_assert_cmpstr (error->message, ==, message);

  /* The rest is there all the same. */
  g_assert_nonnull (find (tensors, "good.weight"));
  g_assert_true (tare_tensor_can_read (find (tensors, "good.weight")));
}

static void
test_faults (void)
{
  static const guint8 zeros[256] = { 0 };
  Builder builder = builder_new ();

  add (&builder, "l.weight_packed", "I32", "4,4", zeros, 64);
  check_fault (&builder, NULL, "config.json: tensor 'l.weight_scale' is missing");

  builder = builder_new ();
  add (&builder, "l.weight_packed", "I32", "4,4", zeros, 64);
  add (&builder, "l.weight_scale", "F16", "3,1", zeros, 6);
  check_fault (&builder, NULL, "config.json: tensor 'l.weight_scale' is 3x1, which is not a scale "
                               "for every output");

  builder = builder_new ();
  add (&builder, "l.weight_packed", "I32", "4,4", zeros, 64);
  add (&builder, "l.weight_scale", "F16", "4,3", zeros, 24);
  check_fault (&builder, NULL, "config.json: tensor 'l.weight_scale' has 3 groups for 32 columns, "
                               "which do not divide evenly");

  builder = builder_new ();
  add (&builder, "l.weight_packed", "I32", "4,4", zeros, 64);
  add (&builder, "l.weight_scale", "F16", "4,1", zeros, 8);
  check_fault (&builder, "{\"config_groups\":{\"g\":{\"targets\":[\"l\"],\"weights\":"
                         "{\"symmetric\":false,\"num_bits\":4}}}}",
               "config.json: tensor 'l.weight_zero_point' is missing");

  builder = builder_new ();
  add (&builder, "l.qweight", "I32", "4,8", zeros, 128);
  add (&builder, "l.qzeros", "I32", "1,1", zeros, 4);
  add (&builder, "l.scales", "F16", "1,7", zeros, 14);
  check_fault (&builder, NULL, "config.json: tensor 'l.scales' is 1x7, which is not a scale for "
                               "every output and group");

  builder = builder_new ();
  add (&builder, "l.qweight", "F32", "4,8", zeros, 128);
  check_fault (&builder, NULL,
               "config.json: tensor 'l.qweight' is stored in no known layout");

  builder = builder_new ();
  add (&builder, "l.weight", "U8", "32", zeros, 32);
  check_fault (&builder, "{\"quant_method\":\"bitsandbytes\"}",
               "config.json: key 'quantization_config.quant_method' is 'bitsandbytes', of which "
               "the layout is not known");

  builder = builder_new ();
  check_fault (&builder, "{\"quant_method\":\"awq\",\"version\":\"gemv\"}",
               "config.json: key 'quantization_config.version' is 'gemv', of which the layout is "
               "not known");

  builder = builder_new ();
  add (&builder, "l.weight_scale", "F16", "4,1", zeros, 8);
  check_fault (&builder, NULL, "config.json: tensor 'l.weight_scale' has no codes beside it");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/stored/pack-quantized", test_pack_quantized);
  g_test_add_func ("/stored/padded", test_padded);
  g_test_add_func ("/stored/gptq", test_gptq);
  g_test_add_func ("/stored/groups", test_groups);
  g_test_add_func ("/stored/awq", test_awq);
  g_test_add_func ("/stored/bytes", test_bytes);
  g_test_add_func ("/stored/blocks", test_blocks);
  g_test_add_func ("/stored/nibbles", test_nibbles);
  g_test_add_func ("/stored/targets", test_targets);
  g_test_add_func ("/stored/order", test_order);
  g_test_add_func ("/stored/faults", test_faults);

  return g_test_run ();
}
