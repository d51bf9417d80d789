//! What a recorded program of numbers is made of: a code for each primitive of the formulas.

/// The primitives: a code and the method that it stands for, by the number of operands.
macro_rules! codes { ($generate:ident) => { $generate! {
    unary {
        Neg neg, Abs abs, Sign sign, Step step, Exp exp, Ln ln, ExpM1 exp_m1, Ln1p ln_1p, Sin sin, Cos cos, Tan tan,
        Sqrt sqrt, Recip recip, Tanh tanh, Sech2 sech2, Sigmoid sigmoid, SigmoidSlope sigmoid_slope, Softplus softplus,
        Relu relu, Erf erf, Erfc erfc, Gauss gauss, NormalCdf normal_cdf, NormalPdf normal_pdf, Exp2 exp2, Log2 log2,
        Log10 log10, Cbrt cbrt, Asin asin, Acos acos, Atan atan, Sinh sinh, Cosh cosh, Asinh asinh, Acosh acosh,
        Atanh atanh, LnGamma ln_gamma, Round round,
    }
    binary {
        Div div, Maximum maximum, Minimum minimum, Gt gt, Ge ge, Chain chain, Pow pow, Hypot hypot, Atan2 atan2,
        Remainder remainder,
    }
    chained { Add add, Sub sub, Mul mul, }
} } }
pub(super) use codes;

macro_rules! code { (unary { $($unary:ident $m1:ident,)* } binary { $($binary:ident $m2:ident,)* } chained { $($chained:ident $m3:ident,)* }) => {
    /// An operation of a recorded program; its operands are slots, if nothing else is said.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[repr(u8)]
    #[allow(missing_docs, reason = "each is the method of `Number` or `Functions` of its name")]
    pub enum Code {
        /// A number, by its bits as f64.
        Constant,
        /// A variable, by its place.
        Input,
        $($unary,)*
        /// A whole power; the exponent is in place of the second operand.
        Powi,
        /// A real power, by a constant.
        Powf,
        /// The order is in place of the second operand.
        Polygamma,
        /// A function of the list of the program, by its place instead of a second operand.
        Call,
        $($binary,)*
        $($chained,)*
        /// A product of the chain rule: plain, or in a second try one in which zero wins.
        Product,
        WhereCond,
        /// `a * b + c`, rounded once.
        MulAdd,
        /// `c + a * b`, rounded twice.
        MulPlus,
    }

    /// All of them, in order.
    pub const CODES: &[Code] = &[
        Code::Constant, Code::Input, $(Code::$unary,)* Code::Powi, Code::Powf, Code::Polygamma, Code::Call,
        $(Code::$binary,)* $(Code::$chained,)* Code::Product, Code::WhereCond, Code::MulAdd, Code::MulPlus,
    ];

    impl Code {
        /// How many slots it reads.
        #[inline(always)]
        pub fn slots(self) -> usize {
            match self {
                Self::Constant | Self::Input => 0,
                $(Self::$unary)|* | Self::Powi | Self::Polygamma | Self::Call => 1,
                $(Self::$binary)|* | $(Self::$chained)|* | Self::Powf | Self::Product => 2,
                Self::WhereCond | Self::MulAdd | Self::MulPlus => 3,
            }
        }

        /// How many numbers stand for its operands.
        #[inline(always)]
        pub fn width(self) -> usize {
            match self {
                Self::Powi | Self::Polygamma | Self::Call => 2,
                _ => self.slots(),
            }
        }

        /// Whether a run of it may read what it has written itself: what costs little is done one by one.
        pub fn chained(self) -> bool {
            matches!(self, $(Self::$chained)|* | Self::Product | Self::MulPlus)
        }
    }
} }
codes!(code);
