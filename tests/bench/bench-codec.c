/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/bench/bench.h"

#include <omp.h>

#include "quant/formats/tare-format.h"

/* Encoding is bound by arithmetic, so a part of the rows tells as much as all of them. */
#define ROWS 1024
#define ENCODED_ROWS 64
#define COLUMNS 4096

typedef struct
{
  const TareFormat   *format;
  const TareEncoding *encoding;
  const float        *x;
  float              *y;
  guint8             *codes;
  gsize               rows;
} Codec;

static void
encode_once (gpointer data)
{
  Codec *codec = data;

  if (!tare_format_encode (codec->format, codec->encoding, codec->x, codec->rows, COLUMNS,
                           codec->codes, NULL, NULL))
    g_error ("%s does not encode", codec->format->id);
}

static void
decode_once (gpointer data)
{
  Codec *codec = data;

  tare_format_decode (codec->format, codec->codes, codec->rows, COLUMNS, codec->y);
}

/* A sum of four uniform numbers: near enough to the shape of real weights. */
static float *
make_weights (gsize n)
{
  float *x = g_new (float, n);
  guint32 state = 1;

  for (gsize i = 0; i < n; i++)
    {
      gint64 sum = 0;

      for (int k = 0; k < 4; k++)
        {
          state = state * 1664525 + 1013904223;
          sum += state >> 8;
        }
      x[i] = (float) (sum - (1 << 25)) * 0x1p-30f;
    }

  return x;
}

static void
add_rate (JsonBuilder *json,
          const char  *name,
          gsize        rows,
          double       seconds,
          double       memory)
{
  g_autofree char *rate = g_strconcat (name, "_bytes_per_second", NULL);
  g_autofree char *share = g_strconcat (name, "_share_of_memcpy", NULL);
  double bytes = (double) rows * COLUMNS * sizeof (float);

  bench_add_number (json, rate, bytes / seconds);
  bench_add_number (json, share, bytes / seconds / memory);
}

/**
 * bench_codec:
 * @json: an object that is open
 * @quick: whether every path runs once only
 *
 * For every format that is wanted, bytes of single precision that one core decodes and encodes in a
 * second, with the searched range and the plain one, and their shares of what memcpy() moves.
 */
void
bench_codec (JsonBuilder *json,
             gboolean     quick)
{
  static const TareEncoding searched = { .range = TARE_RANGE_SEARCH };
  static const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  gsize rows = quick ? 2 : ROWS;
  gsize bytes = rows * COLUMNS * sizeof (float);
  g_autofree float *x = make_weights (rows * COLUMNS);
  g_autofree float *y = g_new0 (float, rows * COLUMNS);
  g_autofree guint8 *codes = NULL;
  gsize most = 0;
  double memory = (double) bytes / bench_memcpy_seconds (bytes, quick);
  int n_threads = omp_get_max_threads ();

  /* A codebook may be more than few weights are. */
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    most = MAX (most, tare_format_get_bytes (tare_format_get (i), rows, COLUMNS));
  codes = g_malloc0 (most);

  omp_set_num_threads (1);
  bench_add_number (json, "memcpy_bytes_per_second", memory);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      Codec codec = { tare_format_get (i), &plain, x, y, codes, rows };
      gsize encoded = MIN (rows, ENCODED_ROWS);

      if (!bench_wants (codec.format->id))
        continue;

      /* Other programs come and go: what memory gives is measured beside each format. */
      memory = (double) bytes / bench_memcpy_seconds (bytes, quick);

      json_builder_set_member_name (json, codec.format->id);
      json_builder_begin_object (json);

      encode_once (&codec);
      add_rate (json, "decode", rows, bench_time (decode_once, &codec, quick), memory);

      codec.rows = encoded;
      add_rate (json, "encode_plain", encoded, bench_time (encode_once, &codec, quick), memory);
      codec.encoding = &searched;
      add_rate (json, "encode", encoded, bench_time (encode_once, &codec, quick), memory);

      json_builder_end_object (json);
    }

  omp_set_num_threads (n_threads);
}
