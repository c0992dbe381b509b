//! Vectors of f32 in the widths that processors have, and the choice among them at run time.
//!
//! Code over [`Vector`] is inlined into [`dispatch`], whose functions are compiled for the instruction set that was found. It must
//! be `#[inline(always)]` all the way down to be fast.

/// A SIMD vector.
pub(crate) trait Vector: Copy {
    /// f32s in it.
    const LANES: usize;
    /// Rows of the largest block of sums that stays in registers, beside two vectors of weights.
    const ROWS: usize;

    fn splat(value: f32) -> Self;
    /// The first values of a slice that has at least [`LANES`](Self::LANES).
    fn load(from: &[f32]) -> Self;
    /// To the first places of a slice that has at least [`LANES`](Self::LANES).
    fn store(self, to: &mut [f32]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    /// `low` where it is larger, else `self`, so that what is no number stays so.
    fn at_least(self, low: Self) -> Self;
    /// `self * factor + addend`, rounded once where the instruction set can.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
}

/// Work over vectors of any width.
pub(crate) trait Kernel {
    /// What comes out.
    type Output;
    /// Does it; must be `#[inline(always)]`.
    fn run<V: Vector>(self) -> Self::Output;
}

/// An instruction set. Values but the last exist only where [`Level::detect`] found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "wasm32")]
    Simd128,
    #[cfg(not(any(target_arch = "wasm32", target_arch = "aarch64")))]
    Plain,
}

impl Level {
    /// The widest that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        return Self::Neon;
        #[cfg(target_arch = "wasm32")]
        return Self::Simd128;
        #[cfg(not(any(target_arch = "wasm32", target_arch = "aarch64")))]
        Self::Plain
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "NEON",
            #[cfg(target_arch = "wasm32")]
            Self::Simd128 => "WebAssembly SIMD",
            #[cfg(not(any(target_arch = "wasm32", target_arch = "aarch64")))]
            Self::Plain => "SSE2",
        }
    }

    /// f32s of a vector.
    pub fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 8,
            #[allow(unreachable_patterns)]
            _ => 4,
        }
    }
}

/// Runs a kernel with the vectors of an instruction set.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn run<K: Kernel>(kernel: K) -> K::Output {
                kernel.run::<x86::Avx512>()
            }
            // SAFETY: `Level::detect` alone makes this level, after it found AVX-512F, which includes AVX2 and FMA.
            unsafe { run(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            fn run<K: Kernel>(kernel: K) -> K::Output {
                kernel.run::<x86::Avx2>()
            }
            // SAFETY: `Level::detect` alone makes this level, after it found AVX2 and FMA.
            unsafe { run(kernel) }
        }
        #[cfg(target_arch = "aarch64")]
        Level::Neon => kernel.run::<neon::Neon>(),
        #[cfg(target_arch = "wasm32")]
        Level::Simd128 => {
            // All of the program has it, but with a function that asks for it the loops come out a fifth faster (docs/performance.md).
            #[target_feature(enable = "simd128")]
            fn run<K: Kernel>(kernel: K) -> K::Output {
                kernel.run::<wasm::Simd128>()
            }
            run(kernel)
        }
        #[cfg(not(any(target_arch = "wasm32", target_arch = "aarch64")))]
        Level::Plain => kernel.run::<plain::Plain>(),
    }
}

/// A function whose plain loops are compiled for the instruction set given as its first argument. Its references live for `'a`.
macro_rules! vectorised {
    ($(#[$meta:meta])* fn $name:ident<'a>($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)] // an operation's operands
        fn $name<'a>(level: Level, $($arg: $ty),*) {
            struct Call<'a> { $($arg: $ty),* }
            impl<'a> Kernel for Call<'a> {
                type Output = ();
                #[inline(always)]
                fn run<V: Vector>(self) {
                    let Self { $($arg),* } = self;
                    $body
                }
            }
            dispatch(level, Call { $($arg),* });
        }
    };
}
pub(crate) use vectorised;

/// A [`Vector`] from an instruction set's functions.
///
/// SAFETY of every block in it: a vector and an array of as many f32s are the same bits, and any bits are a value of either; the
/// functions ask for nothing but their instruction set. The types are private to this file, which
/// only names them in `dispatch`, in functions compiled for that instruction set and called where it was found.
macro_rules! vector {
    ($name:ident, $raw:ty, $lanes:literal, $rows:literal, $splat:ident, $add:ident, $sub:ident,
     |$value:ident, $low:ident| $at_least:expr, |$a:ident, $b:ident, $c:ident| $mul_add:expr) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name($raw);

        #[allow(unsafe_code)]
        #[allow(unused_unsafe)] // some of the functions are safe
        impl super::Vector for $name {
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;

            #[inline(always)]
            fn splat(value: f32) -> Self {
                Self(unsafe { $splat(value) })
            }
            #[inline(always)]
            fn load(from: &[f32]) -> Self {
                let values: [f32; $lanes] = *from[..$lanes].as_array().expect("sliced to this length");
                Self(unsafe { std::mem::transmute::<[f32; $lanes], $raw>(values) })
            }
            #[inline(always)]
            fn store(self, to: &mut [f32]) {
                let values = unsafe { std::mem::transmute::<$raw, [f32; $lanes]>(self.0) };
                to[..$lanes].copy_from_slice(&values);
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                Self(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            fn at_least(self, low: Self) -> Self {
                let ($value, $low) = (self.0, low.0);
                Self(unsafe { $at_least })
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                let ($a, $b, $c) = (self.0, factor.0, addend.0);
                Self(unsafe { $mul_add })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    // Of two operands one of which is no number, max gives the second.
    vector!(
        Avx512,
        __m512,
        16,
        12,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        |value, low| _mm512_max_ps(low, value),
        |a, b, c| _mm512_fmadd_ps(a, b, c)
    );
    vector!(
        Avx2,
        __m256,
        8,
        6,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        |value, low| _mm256_max_ps(low, value),
        |a, b, c| _mm256_fmadd_ps(a, b, c)
    );
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    vector!(Neon, float32x4_t, 4, 12, vdupq_n_f32, vaddq_f32, vsubq_f32, |value, low| vmaxq_f32(value, low), |a, b, c| {
        vfmaq_f32(c, a, b)
    });
}

// Where only some functions have it, what they are made of is compiled without, and takes a quarter longer.
#[cfg(all(target_arch = "wasm32", not(target_feature = "simd128")))]
compile_error!(
    "for WebAssembly, build with `-C target-feature=+simd128`, as .cargo/config.toml says; RUSTFLAGS takes its place"
);

#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::arch::wasm32::*;

    // pmax gives the second where it is larger, else the first; max is several instructions.
    vector!(Simd128, v128, 4, 6, f32x4_splat, f32x4_add, f32x4_sub, |value, low| f32x4_pmax(value, low), |a, b, c| f32x4_add(
        f32x4_mul(a, b),
        c
    ));
}

#[cfg(not(any(target_arch = "wasm32", target_arch = "aarch64")))]
mod plain {
    /// What every machine can.
    #[derive(Clone, Copy)]
    pub(super) struct Plain([f32; 4]);

    impl Plain {
        #[inline(always)]
        fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
            Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
        }
    }

    impl super::Vector for Plain {
        const LANES: usize = 4;
        const ROWS: usize = 6;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self([value; 4])
        }
        #[inline(always)]
        fn load(from: &[f32]) -> Self {
            Self(*from[..4].as_array().expect("sliced to this length"))
        }
        #[inline(always)]
        fn store(self, to: &mut [f32]) {
            to[..4].copy_from_slice(&self.0);
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            self.zip(other, |a, b| a + b)
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            self.zip(other, |a, b| a - b)
        }
        #[inline(always)]
        fn at_least(self, low: Self) -> Self {
            self.zip(low, |value, low| if value < low { low } else { value })
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            self.zip(factor, |a, b| a * b).add(addend)
        }
    }
}

/// Output channels of a panel of packed weights: two vectors, or one where that leaves less of the last panel empty.
pub(crate) fn panel(width: usize) -> usize {
    let lanes = Level::detect().lanes();
    let two = width.next_multiple_of(2 * lanes);
    if width.next_multiple_of(lanes) < two && two > width + width / 3 { lanes } else { 2 * lanes }
}

/// Rows of the largest block of sums: [`Vector::ROWS`].
pub(crate) fn rows(level: Level) -> usize {
    struct Rows;
    impl Kernel for Rows {
        type Output = usize;
        #[inline(always)]
        fn run<V: Vector>(self) -> usize {
            V::ROWS
        }
    }
    dispatch(level, Rows)
}
