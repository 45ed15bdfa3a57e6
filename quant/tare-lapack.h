/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/*
 * The routines of LAPACK that OpenBLAS brings and no header of it declares. Matrices are in
 * columns; every argument goes by address; the lengths of the strings follow at the end, as Fortran
 * compilers pass them. (E. Anderson et al., "LAPACK Users' Guide", 3rd edition.)
 */

/* Reduces the first @nb columns of a symmetric matrix towards tridiagonal form. */
void dlatrd_ (const char *uplo,
              const int  *n,
              const int  *nb,
              double     *a,
              const int  *lda,
              double     *e,
              double     *tau,
              double     *w,
              const int  *ldw,
              size_t      uplo_length);

/* Reduces a symmetric matrix to tridiagonal form. */
void dsytrd_ (const char *uplo,
              const int  *n,
              double     *a,
              const int  *lda,
              double     *d,
              double     *e,
              double     *tau,
              double     *work,
              const int  *lwork,
              int        *info,
              size_t      uplo_length);

/* Eigenvalues of a symmetric tridiagonal matrix, ascending. */
void dsterf_ (const int *n,
              double    *d,
              double    *e,
              int       *info);

/* Eigenvalues, ascending, and eigenvectors of a symmetric matrix. */
void dsyev_  (const char *jobz,
              const char *uplo,
              const int  *n,
              double     *a,
              const int  *lda,
              double     *w,
              double     *work,
              const int  *lwork,
              int        *info,
              size_t      jobz_length,
              size_t      uplo_length);

/* The Cholesky factor of a positive definite matrix. */
void dpotrf_ (const char *uplo,
              const int  *n,
              double     *a,
              const int  *lda,
              int        *info,
              size_t      uplo_length);

/* The factors Q and R of a matrix, and Q itself. */
void sgeqrf_ (const int   *m,
              const int   *n,
              float       *a,
              const int   *lda,
              float       *tau,
              float       *work,
              const int   *lwork,
              int         *info);
void sorgqr_ (const int   *m,
              const int   *n,
              const int   *k,
              float       *a,
              const int   *lda,
              const float *tau,
              float       *work,
              const int   *lwork,
              int         *info);
