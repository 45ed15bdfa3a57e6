/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is wrong with the sketch in a calibration file is said, and where. */
#include "quant/methods/tare-calibration.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

#define LAYER   "blk.0.ffn_down.weight"
#define COLUMNS 6
#define SKETCH  4

#define GGML_TYPE_F32 0

typedef struct
{
  const char  *name;
  guint64      rows;
  guint64      columns;
  const float *values;
} Part;

/* Of one token x: Σx² is x², and x (x'ω) its sketch, of which no more than |x| Σ|x| can be. */
static const float sums[COLUMNS] = { 1.0f, 4.0f, 0.0f, 1.0f, 9.0f, 1.0f };
static const float count[1] = { 1.0f };

static void
fill_sketch (float sketch[COLUMNS * SKETCH])
{
  const float seen[SKETCH] = { 8.0f, -4.0f, 2.0f, -8.0f };

  for (gsize i = 0; i < COLUMNS; i++)
    {
      for (gsize j = 0; j < SKETCH; j++)
        sketch[i * SKETCH + j] = sqrtf (sums[i]) * seen[j];
    }
}

static void
write_parts (const char *path,
             const Part *parts,
             gsize       n_parts)
{
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GError) error = NULL;

  tare_metadata_set_string (metadata, "general.type", "imatrix");
  writer = tare_gguf_writer_new (path, metadata, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n_parts; i++)
    {
      const guint64 shape[2] = { parts[i].rows, parts[i].columns };

      g_assert_true (tare_gguf_writer_add (writer, parts[i].name, GGML_TYPE_F32, 2, shape, &error));
    }
  for (gsize i = 0; i < n_parts; i++)
    g_assert_true (tare_gguf_writer_write (writer, (const guint8 *) parts[i].values,
                                           parts[i].rows * parts[i].columns * sizeof (float),
                                           &error));
  g_assert_nonnull (tare_gguf_writer_finish (writer, &error));
  g_assert_true (tare_gguf_writer_commit (writer, &error));
  g_assert_no_error (error);
}

/* A file of one layer with a sketch of that shape. */
static TareCalibration *
load_sketch (const float  *sketch,
             guint64       rows,
             guint64       columns,
             const float  *gram,
             GError      **error)
{
  g_autofree char *path = tare_test_temporary ("sketch.gguf");
  const Part parts[] = {
    { LAYER ".in_sum2", 1, COLUMNS, sums },
    { LAYER ".counts", 1, 1, count },
    { LAYER ".hessian_sketch", rows, columns, sketch },
    { LAYER ".hessian", COLUMNS, COLUMNS, gram },
  };

  write_parts (path, parts, gram != NULL ? 4 : 3);

  return tare_calibration_load (path, error);
}

static void
assert_refused (TareCalibration *calibration,
                GError          *error,
                const char      *words)
{
  g_assert_null (calibration);
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, LAYER ".hessian_sketch: "));
  g_assert_nonnull (strstr (error->message, words));
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_good (void)
{
  float sketch[COLUMNS * SKETCH];
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(GError) error = NULL;
  const TareLayerActivations *activations;

  fill_sketch (sketch);
  calibration = load_sketch (sketch, COLUMNS, SKETCH, NULL, &error);
  g_assert_no_error (error);
  activations = tare_calibration_lookup (calibration, LAYER);
  g_assert_cmpuint (activations->n_sketch, ==, SKETCH);
  g_assert_cmpmem (activations->sketch, sizeof sketch, sketch, sizeof sketch);
}

static void
test_shapes (void)
{
  const struct { guint64 rows, columns; } shapes[] = {
    { COLUMNS - 1, SKETCH }, { COLUMNS + 1, SKETCH }, { 1, SKETCH }, { COLUMNS, COLUMNS + 1 },
    { SKETCH, COLUMNS },
  };
  g_autofree float *sketch = g_new0 (float, 8 * 8);

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      g_autoptr(TareCalibration) calibration = NULL;
      g_autoptr(GError) error = NULL;

      calibration = load_sketch (sketch, shapes[i].rows, shapes[i].columns, NULL, &error);
      assert_refused (calibration, error, "its shape is not that of its layer");
    }
}

static void
test_values (void)
{
  const struct { gsize at; float value; const char *words; } cases[] = {
    { 0, NAN, "not finite" },
    { COLUMNS * SKETCH - 1, INFINITY, "not finite" },
    { 5, -INFINITY, "not finite" },
    { 0, 10.0f, "larger than" },
    { COLUMNS * SKETCH - 1, -9.1f, "larger than" },
    { 2 * SKETCH, 1e-30f, "larger than" },
    { 3, G_MAXFLOAT, "larger than" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      float sketch[COLUMNS * SKETCH];
      g_autoptr(TareCalibration) calibration = NULL;
      g_autoptr(GError) error = NULL;

      fill_sketch (sketch);
      sketch[cases[i].at] = cases[i].value;
      calibration = load_sketch (sketch, COLUMNS, SKETCH, NULL, &error);
      assert_refused (calibration, error, cases[i].words);
    }
}

/* A layer has one or the other. */
static void
test_both (void)
{
  float sketch[COLUMNS * SKETCH];
  const float gram[COLUMNS * COLUMNS] = { 0.0f };
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(GError) error = NULL;

  fill_sketch (sketch);
  calibration = load_sketch (sketch, COLUMNS, SKETCH, gram, &error);
  assert_refused (calibration, error, "there is a .hessian beside it");
}

/* Cut anywhere before its last number, the file is refused. */
static void
test_truncated (void)
{
  float sketch[COLUMNS * SKETCH];
  g_autofree char *path = tare_test_temporary ("sketch.gguf");
  g_autofree char *cut = tare_test_temporary ("cut.gguf");
  g_autofree char *contents = NULL;
  g_autoptr(TareCalibration) whole = NULL;
  gsize length;

  fill_sketch (sketch);
  whole = load_sketch (sketch, COLUMNS, SKETCH, NULL, NULL);
  g_assert_nonnull (whole);
  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  while (length > 0 && contents[length - 1] == 0)
    length--;
  for (gsize n = 0; n < length; n++)
    {
      g_autoptr(TareCalibration) calibration = NULL;
      g_autoptr(GError) error = NULL;

      g_assert_true (g_file_set_contents (cut, contents, (gssize) n, NULL));
      calibration = tare_calibration_load (cut, &error);
      g_assert_null (calibration);
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, cut));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/calibration-sketch/good", test_good);
  g_test_add_func ("/calibration-sketch/shapes", test_shapes);
  g_test_add_func ("/calibration-sketch/values", test_values);
  g_test_add_func ("/calibration-sketch/both", test_both);
  g_test_add_func ("/calibration-sketch/truncated", test_truncated);

  return g_test_run ();
}
