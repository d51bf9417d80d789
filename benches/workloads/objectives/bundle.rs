//! Where a camera sees a point.
use super::{Lcg, Number, Objective, Points};

/// The two residuals of a bundle adjustment (a camera of 11 numbers, a point, a weight), 10,000 times, as ADBench defines them.
pub(crate) struct Bundle;
impl Objective for Bundle {
    const NAME: &'static str = "bundle";
    fn points(&self) -> Points {
        const CAMERA_POINT_WEIGHT: [f64; 15] = [
            0.0157, -0.0128, -0.0044, -0.0341, -0.1075, 1.1202, 399.75, 320.0, 240.0, -3.177e-2, 5.882e-2, -0.6120,
            0.5718, -1.8471, 0.9,
        ];
        let mut lcg = Lcg(42);
        let x = (0..150_000).map(|i| CAMERA_POINT_WEIGHT[i % 15] * (0.9 + 0.2 * lcg.uniform())).collect();
        Points { n: 15, m: 2, count: 10_000, x }
    }
    fn eval<T: Number>(&self, p: &[T], y: &mut [T], _: bool) {
        let xo = [p[11] - p[3], p[12] - p[4], p[13] - p[5]];
        // Rodrigues' rotation.
        let angle = (p[0] * p[0] + p[1] * p[1] + p[2] * p[2]).sqrt();
        let (cos, sin, inverse) = (angle.cos(), angle.sin(), angle.div_from(1.0));
        let u = [p[0] * inverse, p[1] * inverse, p[2] * inverse];
        let cross = [u[1] * xo[2] - u[2] * xo[1], u[2] * xo[0] - u[0] * xo[2], u[0] * xo[1] - u[1] * xo[0]];
        let along = (u[0] * xo[0] + u[1] * xo[1] + u[2] * xo[2]) * cos.sub_from(1.0);
        let xc = [0, 1, 2].map(|j| xo[j] * cos + cross[j] * sin + u[j] * along);
        // Radial distortion.
        let (p0, p1) = (xc[0] / xc[2], xc[1] / xc[2]);
        let r2 = p0 * p0 + p1 * p1;
        let l = (p[9] * r2).plus(1.0) + p[10] * r2 * r2;
        y[0] = p[14] * (p0 * l * p[6] + p[7]).plus(-332.65);
        y[1] = p[14] * (p1 * l * p[6] + p[8]).plus(-262.09);
    }
}
