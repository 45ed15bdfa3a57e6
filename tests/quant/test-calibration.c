/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/methods/tare-calibration.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

#define CONTEXT 32

static TareLayerActivations *
add_filled (TareCalibration *self,
            const char      *name,
            gsize            columns,
            gboolean         with_gram,
            guint32          seed)
{
  TareLayerActivations *activations = tare_calibration_add (self, name, columns, with_gram);
  g_autofree float *noise = g_new (float, columns);

  tare_test_fill_gaussian (noise, columns, seed);
  activations->n_tokens = 3 * CONTEXT;
  for (gsize i = 0; i < columns; i++)
    {
      activations->sum_squares[i] = noise[i] * noise[i];
      activations->maximum[i] = fabsf (noise[i]);
      for (gsize j = 0; with_gram && j < columns; j++)
        activations->gram[i * columns + j] = noise[i] * noise[j];
    }

  return activations;
}

static TareCalibration *
make_calibration (void)
{
  TareCalibration *self = tare_calibration_new ("treasure-island.txt", CONTEXT);

  add_filled (self, "blk.0.attn_q.weight", 7, TRUE, 1);
  tare_calibration_share (self, "blk.0.attn_k.weight", "blk.0.attn_q.weight");
  tare_calibration_share (self, "blk.0.attn_v.weight", "blk.0.attn_k.weight");
  add_filled (self, "blk.0.ffn_down.weight", 20, FALSE, 2);
  add_filled (self, "output.weight", 7, TRUE, 3);

  return self;
}

static void
assert_same_layer (TareCalibration *a,
                   TareCalibration *b,
                   const char      *name)
{
  const TareLayerActivations *first = tare_calibration_lookup (a, name);
  const TareLayerActivations *second = tare_calibration_lookup (b, name);
  gsize size = first->columns * sizeof (float);

  g_assert_nonnull (second);
  g_assert_cmpuint (first->columns, ==, second->columns);
  g_assert_cmpfloat (first->n_tokens, ==, second->n_tokens);
  g_assert_cmpmem (first->sum_squares, size, second->sum_squares, size);
  g_assert_cmpmem (first->maximum, size, second->maximum, size);
  g_assert_cmpint (first->gram != NULL, ==, second->gram != NULL);
  if (first->gram != NULL)
    g_assert_cmpmem (first->gram, size * first->columns, second->gram, size * first->columns);
}

static void
test_value (void)
{
  g_autoptr(TareCalibration) self = make_calibration ();
  g_autoptr(TareCalibration) same = make_calibration ();
  g_autoptr(TareCalibration) other = tare_calibration_new ("treasure-island.txt", CONTEXT);

  g_assert_cmpuint (tare_calibration_get_n_layers (self), ==, 5);
  g_assert_cmpstr (tare_calibration_get_name (self, 0), ==, "blk.0.attn_q.weight");
  g_assert_cmpstr (tare_calibration_get_name (self, 4), ==, "output.weight");
  g_assert_cmpstr (tare_calibration_get_dataset (self), ==, "treasure-island.txt");
  g_assert_cmpfloat (tare_calibration_get_n_tokens (self), ==, 3 * CONTEXT);
  g_assert_true (tare_calibration_lookup (self, "blk.0.attn_v.weight")
                 == tare_calibration_lookup (self, "blk.0.attn_q.weight"));
  g_assert_null (tare_calibration_lookup (self, "blk.1.attn_v.weight"));
  g_assert_null (tare_calibration_lookup (NULL, "blk.1.attn_v.weight"));

  add_filled (other, "blk.0.attn_q.weight", 7, TRUE, 9);
  g_assert_cmpuint (tare_calibration_get_fingerprint (self), !=, 0);
  g_assert_cmpuint (tare_calibration_get_fingerprint (self), ==,
                    tare_calibration_get_fingerprint (same));
  g_assert_cmpuint (tare_calibration_get_fingerprint (self), !=,
                    tare_calibration_get_fingerprint (other));
}

static void
test_importance (void)
{
  g_autoptr(TareCalibration) self = tare_calibration_new (NULL, CONTEXT);
  TareLayerActivations *seen = tare_calibration_add (self, "seen", 3, FALSE);
  g_autofree float *importance = NULL;
  g_autofree float *unseen = NULL;

  seen->n_tokens = 4.0;
  seen->sum_squares[0] = 2.0f;
  seen->sum_squares[2] = 6.0f;
  tare_calibration_add (self, "unseen", 2, FALSE);

  importance = tare_calibration_dup_importance (self, "seen", 3);
  g_assert_cmpfloat (importance[0], ==, 0.5f);
  g_assert_cmpfloat (importance[1], ==, 0.0f);
  g_assert_cmpfloat (importance[2], ==, 1.5f);

  unseen = tare_calibration_dup_importance (self, "unseen", 2);
  g_assert_cmpfloat (unseen[0], ==, 1.0f);
  g_assert_cmpfloat (unseen[1], ==, 1.0f);

  g_assert_null (tare_calibration_dup_importance (self, "seen", 4));
  g_assert_null (tare_calibration_dup_importance (self, "nowhere", 3));
  g_assert_null (tare_calibration_dup_importance (NULL, "seen", 3));
}

static guint
count_tensors (const char *path,
               const char *suffix)
{
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = tare_file_open (path, &error);
  guint n = 0;

  g_assert_no_error (error);
  tare_gguf_read (file, tensors, &metadata, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tare_metadata_get_string (metadata, "general.type"), ==, "imatrix");
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, "imatrix.datasets", 0), ==,
                   "treasure-island.txt");

  for (guint i = 0; i < tensors->len; i++)
    n += g_str_has_suffix (((TareTensor *) g_ptr_array_index (tensors, i))->name, suffix);

  return n;
}

static void
test_gguf (void)
{
  g_autoptr(TareCalibration) self = make_calibration ();
  g_autoptr(TareCalibration) again = NULL;
  g_autofree char *path = tare_test_temporary ("imatrix.gguf");
  g_autoptr(GError) error = NULL;

  tare_calibration_save (self, path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_tensors (path, ".in_sum2"), ==, 5);
  g_assert_cmpuint (count_tensors (path, ".counts"), ==, 5);
  g_assert_cmpuint (count_tensors (path, ".hessian"), ==, 2);

  again = tare_calibration_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tare_calibration_get_n_layers (again), ==, 5);
  g_assert_cmpstr (tare_calibration_get_dataset (again), ==, "treasure-island.txt");
  for (gsize i = 0; i < tare_calibration_get_n_layers (self); i++)
    assert_same_layer (self, again, tare_calibration_get_name (self, i));
  g_assert_true (tare_calibration_lookup (again, "blk.0.attn_v.weight")
                 == tare_calibration_lookup (again, "blk.0.attn_q.weight"));

  /* Over the file that is mapped. */
  tare_calibration_save (again, path, &error);
  g_assert_no_error (error);
  assert_same_layer (self, again, "output.weight");
}

static void
test_dat (void)
{
  g_autoptr(TareCalibration) self = make_calibration ();
  g_autoptr(TareCalibration) again = NULL;
  g_autofree char *path = tare_test_temporary ("imatrix.dat");
  g_autofree float *before = NULL;
  g_autofree float *after = NULL;
  g_autoptr(GError) error = NULL;

  tare_calibration_save (self, path, &error);
  g_assert_no_error (error);
  again = tare_calibration_load (path, &error);
  g_assert_no_error (error);

  g_assert_cmpuint (tare_calibration_get_n_layers (again), ==, 5);
  g_assert_cmpstr (tare_calibration_get_dataset (again), ==, "treasure-island.txt");
  g_assert_cmpfloat (tare_calibration_get_n_tokens (again), ==, 3.0);
  g_assert_null (tare_calibration_lookup (again, "output.weight")->maximum);
  g_assert_null (tare_calibration_lookup (again, "output.weight")->gram);

  before = tare_calibration_dup_importance (self, "blk.0.ffn_down.weight", 20);
  after = tare_calibration_dup_importance (again, "blk.0.ffn_down.weight", 20);
  g_assert_cmpfloat (tare_test_difference (after, before, 20), <, 1e-6);
}

static void
put (GByteArray *bytes,
     gint32      value)
{
  value = GINT32_TO_LE (value);
  g_byte_array_append (bytes, (const guint8 *) &value, 4);
}

static void
put_float (GByteArray *bytes,
           float       value)
{
  gint32 bits;

  memcpy (&bits, &value, 4);
  put (bytes, bits);
}

/* One entry of two columns, summed over @calls. */
static void
put_entry (GByteArray *bytes,
           const char *name,
           gint32      calls,
           float       first,
           float       second)
{
  put (bytes, (gint32) strlen (name));
  g_byte_array_append (bytes, (const guint8 *) name, (guint) strlen (name));
  put (bytes, calls);
  put (bytes, 2);
  put_float (bytes, first);
  put_float (bytes, second);
}

static TareCalibration *
load_bytes (const void  *data,
            gsize        length,
            GError     **error)
{
  g_autofree char *path = tare_test_temporary ("hostile");

  g_assert_true (g_file_set_contents (path, data, (gssize) length, NULL));

  return tare_calibration_load (path, error);
}

/* By the letter of the format: two entries, then the trailer. Cut anywhere else it is refused. */
static void
test_dat_letter (void)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  g_autoptr(TareCalibration) self = NULL;
  g_autofree float *importance = NULL;
  g_autofree float *uncounted = NULL;
  g_autoptr(GError) error = NULL;
  guint end_of_entries;

  put (bytes, 2);
  put_entry (bytes, "blk.0.ffn_up.weight", 4, 8.0f, 2.0f);
  put_entry (bytes, "blk.0.ffn_down.weight", 0, 3.0f, 5.0f);
  end_of_entries = bytes->len;
  put (bytes, 4);
  put (bytes, 5);
  g_byte_array_append (bytes, (const guint8 *) "a.txt", 5);

  self = load_bytes (bytes->data, bytes->len, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tare_calibration_get_dataset (self), ==, "a.txt");
  importance = tare_calibration_dup_importance (self, "blk.0.ffn_up.weight", 2);
  g_assert_cmpfloat (importance[0], ==, 2.0f);
  g_assert_cmpfloat (importance[1], ==, 0.5f);
  uncounted = tare_calibration_dup_importance (self, "blk.0.ffn_down.weight", 2);
  g_assert_cmpfloat (uncounted[0], ==, 1.0f);

  for (guint length = 0; length < bytes->len; length++)
    {
      g_autoptr(TareCalibration) cut = load_bytes (bytes->data, length, &error);

      g_assert_cmpint (cut != NULL, ==, length == end_of_entries);
      g_assert_cmpint (error == NULL, ==, cut != NULL);
      if (error != NULL)
        g_assert_nonnull (strstr (error->message, "hostile"));
      g_clear_error (&error);
    }
}

static void
test_dat_hostile (void)
{
  for (int k = 0; k < 9; k++)
    {
      g_autoptr(GByteArray) bytes = g_byte_array_new ();
      g_autoptr(TareCalibration) self = NULL;
      g_autoptr(GError) error = NULL;

      put (bytes, k == 0 ? 0 : k == 1 ? -1 : k == 2 ? G_MAXINT32 : 2);
      put_entry (bytes, "first", k == 3 ? -1 : 1, 1.0f,
                 k == 4 ? NAN : k == 5 ? INFINITY : k == 6 ? -1.0f : 2.0f);
      put_entry (bytes, k == 7 ? "first" : "\xff" "irst", 1, 1.0f, 2.0f);

      self = load_bytes (bytes->data, bytes->len, &error);
      g_assert_null (self);
      g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "offset"));
    }
}

/* An entry that claims @columns of them. */
static void
test_dat_columns (void)
{
  const gint32 columns[] = { 0, -1, G_MININT32, G_MAXINT32, 3 };
  const gint32 lengths[] = { 0, -1, G_MAXINT32, 1 << 20 };

  for (gsize i = 0; i < G_N_ELEMENTS (columns) + G_N_ELEMENTS (lengths); i++)
    {
      g_autoptr(GByteArray) bytes = g_byte_array_new ();
      g_autoptr(TareCalibration) self = NULL;
      g_autoptr(GError) error = NULL;

      put (bytes, 1);
      put (bytes, i < G_N_ELEMENTS (columns) ? 1 : lengths[i - G_N_ELEMENTS (columns)]);
      g_byte_array_append (bytes, (const guint8 *) "a", 1);
      put (bytes, 1);
      put (bytes, i < G_N_ELEMENTS (columns) ? columns[i] : 2);
      put_float (bytes, 1.0f);
      put_float (bytes, 1.0f);

      self = load_bytes (bytes->data, bytes->len, &error);
      g_assert_null (self);
      g_assert_nonnull (error);
    }
}

typedef struct
{
  const char *type;
  guint64     counts;
  guint64     matrices;
  guint64     gram_rows;
  gboolean    orphan;
  float       value;
  gboolean    good;
} Foreign;

static void
write_floats (TareGgufWriter *writer,
              gsize           n,
              float           value)
{
  g_autofree float *x = g_new (float, n);

  for (gsize i = 0; i < n; i++)
    x[i] = value;
  g_assert_true (tare_gguf_writer_write (writer, (const guint8 *) x, n * sizeof (float), NULL));
}

/* What another program might have written, with something wrong. */
static void
write_foreign (const Foreign *foreign,
               const char    *path)
{
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  const guint64 sums[2] = { foreign->matrices, 4 };
  const guint64 counts[2] = { foreign->counts, 1 };
  const guint64 gram[2] = { foreign->gram_rows, 4 };
  g_autoptr(GError) error = NULL;

  if (foreign->type != NULL)
    tare_metadata_set_string (metadata, "general.type", foreign->type);
  writer = tare_gguf_writer_new (path, metadata, &error);
  g_assert_no_error (error);

  tare_gguf_writer_add (writer, foreign->orphan ? "b.counts" : "a.counts", 0, 2, counts, NULL);
  tare_gguf_writer_add (writer, "a.in_sum", 0, 2, sums, NULL);
  tare_gguf_writer_add (writer, "a.in_sum2", 0, 2, sums, NULL);
  if (foreign->gram_rows > 0)
    tare_gguf_writer_add (writer, "a.hessian", 0, 2, gram, NULL);

  write_floats (writer, foreign->counts, 2.0f);
  write_floats (writer, 4 * foreign->matrices, -1.0f);
  write_floats (writer, 4 * foreign->matrices, foreign->value);
  if (foreign->gram_rows > 0)
    write_floats (writer, 4 * foreign->gram_rows, foreign->value);
  tare_gguf_writer_finish (writer, &error);
  g_assert_no_error (error);
  tare_gguf_writer_commit (writer, &error);
  g_assert_no_error (error);
}

static void
test_gguf_foreign (void)
{
  const Foreign cases[] = {
    { "imatrix", 1, 1, 0, FALSE, 3.0f, TRUE },
    { "imatrix", 1, 1, 4, FALSE, 3.0f, TRUE },
    { NULL, 1, 1, 0, FALSE, 3.0f, FALSE },
    { "model", 1, 1, 0, FALSE, 3.0f, FALSE },
    { "imatrix", 2, 1, 0, FALSE, 3.0f, FALSE },
    { "imatrix", 2, 2, 0, FALSE, 3.0f, TRUE },
    { "imatrix", 1, 2, 0, FALSE, 3.0f, FALSE },
    { "imatrix", 3, 2, 0, FALSE, 3.0f, FALSE },
    { "imatrix", 1, 1, 3, FALSE, 3.0f, FALSE },
    { "imatrix", 1, 1, 0, TRUE, 3.0f, FALSE },
    { "imatrix", 1, 1, 0, FALSE, -3.0f, FALSE },
    { "imatrix", 1, 1, 0, FALSE, NAN, FALSE },
    { "imatrix", 1, 1, 4, FALSE, INFINITY, FALSE },
  };
  g_autofree char *path = tare_test_temporary ("foreign.gguf");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(TareCalibration) self = NULL;
      g_autoptr(GError) error = NULL;

      write_foreign (&cases[i], path);
      self = tare_calibration_load (path, &error);
      g_assert_cmpint (self != NULL, ==, cases[i].good);
      if (!cases[i].good)
        {
          g_assert_nonnull (strstr (error->message, "foreign.gguf: "));
          continue;
        }

      g_assert_no_error (error);
      g_assert_cmpuint (tare_calibration_get_n_layers (self), ==, 1);
      g_assert_cmpfloat (tare_calibration_lookup (self, "a")->n_tokens, ==,
                         2.0 * (double) cases[i].matrices);
      g_assert_cmpfloat (tare_calibration_lookup (self, "a")->sum_squares[3], ==,
                         3.0 * (double) cases[i].matrices);
      g_assert_null (tare_calibration_lookup (self, "a")->maximum);
    }
}

static void
test_missing (void)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_calibration_load ("/nowhere/imatrix.gguf", &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "/nowhere/imatrix.gguf"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/calibration/value", test_value);
  g_test_add_func ("/calibration/importance", test_importance);
  g_test_add_func ("/calibration/gguf", test_gguf);
  g_test_add_func ("/calibration/gguf/foreign", test_gguf_foreign);
  g_test_add_func ("/calibration/dat", test_dat);
  g_test_add_func ("/calibration/dat/letter", test_dat_letter);
  g_test_add_func ("/calibration/dat/hostile", test_dat_hostile);
  g_test_add_func ("/calibration/dat/columns", test_dat_columns);
  g_test_add_func ("/calibration/missing", test_missing);

  return g_test_run ();
}
