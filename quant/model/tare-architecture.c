/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-architecture.h"

#include <string.h>

#include "quant/model/tare-architecture-private.h"
#include "quant/model/tare-role-private.h"

/**
 * tare_architecture_get_n_architectures:
 *
 * Returns: the number of rows of the architecture table
 */
gsize
tare_architecture_get_n_architectures (void)
{
  return _tare_n_architectures;
}

/**
 * tare_architecture_get:
 * @index: less than tare_architecture_get_n_architectures()
 *
 * Returns: (transfer none): a row of the architecture table
 */
const TareArchitecture *
tare_architecture_get (gsize index)
{
  g_return_val_if_fail (index < _tare_n_architectures, NULL);

  return &_tare_architectures[index];
}

/**
 * tare_architecture_lookup:
 * @id: GGUF's general.architecture
 *
 * Returns: (nullable) (transfer none): its row, or %NULL where there is none
 */
const TareArchitecture *
tare_architecture_lookup (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < _tare_n_architectures; i++)
    {
      if (strcmp (_tare_architectures[i].id, id) == 0)
        return &_tare_architectures[i];
    }

  return NULL;
}

/**
 * tare_architecture_lookup_class:
 * @class_name: one of the "architectures" of config.json
 *
 * Returns: (nullable) (transfer none): the row that stands for it, or %NULL where none does
 */
const TareArchitecture *
tare_architecture_lookup_class (const char *class_name)
{
  g_return_val_if_fail (class_name != NULL, NULL);

  for (gsize i = 0; i < _tare_n_architectures; i++)
    {
      if (g_strv_contains (_tare_architectures[i].classes, class_name))
        return &_tare_architectures[i];
    }

  return NULL;
}

/**
 * tare_architecture_find:
 * @self: an architecture
 * @role: id of a role
 *
 * Returns: (nullable) (transfer none): the row of its tensors, or %NULL where it has no such role
 */
const TareTensorName *
tare_architecture_find (const TareArchitecture *self,
                        const char             *role)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (role != NULL, NULL);

  for (const TareTensorName *row = self->names; row->role != NULL; row++)
    {
      if (strcmp (row->role, role) == 0)
        return row;
    }

  return NULL;
}

/* What Hugging Face puts before the parts around the stream. */
#define STREAM "model."

/* Numbers in a name: of the block and of the expert, -1 where there is none. */
#define N_HOLES 2

/* Whether the first @length bytes of @name are @pattern with numbers for each %d. */
static gboolean
match (const char *pattern,
       const char *name,
       gsize       length,
       int         numbers[N_HOLES])
{
  const char *end = name + length;
  const char *hole = NULL;

  numbers[0] = numbers[1] = -1;
  for (gsize i = 0; i < N_HOLES && (hole = strstr (pattern, "%d")) != NULL; i++)
    {
      gsize before = (gsize) (hole - pattern);

      if ((gsize) (end - name) <= before || strncmp (pattern, name, before) != 0)
        return FALSE;

      numbers[i] = _tare_role_parse_block (name + before, &name);
      if (numbers[i] < 0 || name > end)
        return FALSE;
      pattern = hole + 2;
    }

  return strlen (pattern) == (gsize) (end - name)
         && strncmp (pattern, name, (gsize) (end - name)) == 0;
}

/* The row of a tensor of a Hugging Face file, whose name is @length bytes without its end. */
static const TareTensorName *
find_name (const TareArchitecture *self,
           const char             *name,
           gsize                   length,
           int                     numbers[N_HOLES])
{
  for (const TareTensorName *row = self->names; length > 0 && row->role != NULL; row++)
    {
      if (row->hugging_face != NULL && match (row->hugging_face, name, length, numbers))
        return row;
    }

  return NULL;
}

/* (transfer full): the name as files have it that put nothing before it */
static char *
strip_prefix (const TareArchitecture *self,
              const char             *name)
{
  const char *inner = g_str_has_prefix (name, STREAM) ? name + strlen (STREAM) : NULL;

  if (self->prefix != NULL && g_str_has_prefix (name, self->prefix))
    return g_strdup (name + strlen (self->prefix));
  if (self->prefix != NULL && inner != NULL && g_str_has_prefix (inner, self->prefix))
    return g_strconcat (STREAM, inner + strlen (self->prefix), NULL);

  return g_strdup (name);
}

static const char *
suffix (gboolean bias)
{
  return bias ? ".bias" : ".weight";
}

/**
 * tare_architecture_to_canonical:
 * @self: an architecture
 * @name: a tensor's name in a Hugging Face file
 *
 * Returns: (nullable) (transfer full): GGUF's name for it, or %NULL where the architecture has no
 *   such tensor, or it is one expert's, which GGUF has together
 */
char *
tare_architecture_to_canonical (const TareArchitecture *self,
                                const char             *name)
{
  g_autofree char *bare = NULL;
  const TareTensorName *row = NULL;
  gboolean bias = FALSE;
  gsize length = 0;
  int numbers[N_HOLES];

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (name != NULL, NULL);

  bare = strip_prefix (self, name);
  length = _tare_role_split_name (bare, &bias);
  row = find_name (self, bare, length, numbers);
  if (row == NULL || numbers[1] >= 0)
    return NULL;
  if (numbers[0] >= 0)
    return g_strdup_printf ("blk.%d.%s%s", numbers[0], row->role, suffix (bias));

  return g_strconcat (row->role, suffix (bias), NULL);
}

/**
 * tare_architecture_expert_to_canonical:
 * @self: an architecture
 * @name: a tensor's name in a Hugging Face file
 * @expert: (out): whose matrix it is, from 0 on
 *
 * Returns: (nullable) (transfer full): GGUF's name for the matrices of all experts, or %NULL where
 *   it is not the matrix of one
 */
char *
tare_architecture_expert_to_canonical (const TareArchitecture *self,
                                       const char             *name,
                                       guint                  *expert)
{
  g_autofree char *bare = NULL;
  const TareTensorName *row = NULL;
  gboolean bias = FALSE;
  gsize length = 0;
  int numbers[N_HOLES];

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (name != NULL && expert != NULL, NULL);

  bare = strip_prefix (self, name);
  length = _tare_role_split_name (bare, &bias);
  row = find_name (self, bare, length, numbers);
  if (row == NULL || numbers[1] < 0 || bias)
    return NULL;

  *expert = (guint) numbers[1];

  return g_strdup_printf ("blk.%d.%s.weight", numbers[0], row->role);
}

/**
 * tare_architecture_find_stacked:
 * @self: an architecture
 * @name: a tensor's name in a Hugging Face file or in a GGUF file
 * @block: (out): its block
 *
 * Returns: (nullable) (transfer none): the first row of those whose experts' matrices it holds, or
 *   %NULL where it holds none
 */
const TareTensorName *
tare_architecture_find_stacked (const TareArchitecture *self,
                                const char             *name,
                                int                    *block)
{
  g_autofree char *bare = NULL;
  gboolean bias = FALSE;
  gsize length = 0;
  int numbers[N_HOLES];

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (name != NULL && block != NULL, NULL);

  bare = strip_prefix (self, name);
  length = _tare_role_split_name (bare, &bias);
  for (const TareTensorName *row = self->names; !bias && row->role != NULL; row++)
    {
      g_autofree char *joined = g_strconcat ("blk.%d.", row->joined, NULL);

      if ((row->stacked == NULL
           || !match (row->stacked, bare, length > 0 ? length : strlen (bare), numbers))
          && (row->joined == NULL || !match (joined, bare, length, numbers)))
        continue;

      *block = numbers[0];
      return row;
    }

  return NULL;
}

static char *
fill_name (const TareTensorName *row,
           int                   block,
           gboolean              bias)
{
  const char *hole = strstr (row->hugging_face, "%d");

  if (hole == NULL)
    return g_strconcat (row->hugging_face, suffix (bias), NULL);
  if (strstr (hole + 2, "%d") != NULL)
    return NULL;

  return g_strdup_printf ("%.*s%d%s%s", (int) (hole - row->hugging_face), row->hugging_face,
                          block, hole + 2, suffix (bias));
}

/**
 * tare_architecture_to_hugging_face:
 * @self: an architecture
 * @canonical: a tensor's GGUF name
 *
 * Returns: (nullable) (transfer full): its name in a Hugging Face file, or %NULL where there is
 *   none, or one for every expert
 */
char *
tare_architecture_to_hugging_face (const TareArchitecture *self,
                                   const char             *canonical)
{
  const TareTensorName *row = NULL;
  const TareRole *role = NULL;
  gboolean bias = FALSE;
  int block = -1;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (canonical != NULL, NULL);

  role = tare_role_from_canonical (canonical, &block, &bias);
  row = role != NULL ? tare_architecture_find (self, role->id) : NULL;

  return row != NULL && row->hugging_face != NULL ? fill_name (row, block, bias) : NULL;
}

/**
 * _tare_architecture_to_other_name:
 * @self: an architecture
 * @role: id of a role
 * @block: of the tensor, or -1
 * @bias: whether its bias is meant
 *
 * Returns: (nullable) (transfer full): the second name that Hugging Face files have for a tensor,
 *   or %NULL where there is but one
 */
char *
_tare_architecture_to_other_name (const TareArchitecture *self,
                                  const char             *role,
                                  int                     block,
                                  gboolean                bias)
{
  const TareTensorName *first = tare_architecture_find (self, role);

  for (const TareTensorName *row = first; row != NULL && row->role != NULL; row++)
    if (row != first && strcmp (row->role, role) == 0)
      return fill_name (row, block, bias);

  return NULL;
}

/**
 * tare_architecture_expert_to_hugging_face:
 * @self: an architecture
 * @canonical: GGUF's name for the matrices of all experts
 * @expert: one of them, from 0 on
 *
 * Returns: (nullable) (transfer full): the name of its matrix in a Hugging Face file, or %NULL
 *   where experts have no tensors of their own by that name
 */
char *
tare_architecture_expert_to_hugging_face (const TareArchitecture *self,
                                          const char             *canonical,
                                          guint                   expert)
{
  const TareTensorName *row = NULL;
  const TareRole *role = NULL;
  const char *hole = NULL, *second = NULL;
  gboolean bias = FALSE;
  int block = -1;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (canonical != NULL, NULL);

  role = tare_role_from_canonical (canonical, &block, &bias);
  row = role != NULL && !bias ? tare_architecture_find (self, role->id) : NULL;
  hole = row != NULL && row->hugging_face != NULL ? strstr (row->hugging_face, "%d") : NULL;
  second = hole != NULL ? strstr (hole + 2, "%d") : NULL;
  if (second == NULL)
    return NULL;

  return g_strdup_printf ("%.*s%d%.*s%u%s.weight", (int) (hole - row->hugging_face),
                          row->hugging_face, block, (int) (second - hole - 2), hole + 2, expert,
                          second + 2);
}
