//! Whether a mirrored picture would belong to another class: where it does, mirroring in training teaches wrong names.

use super::judge::Judged;
use crate::data::RgbaImage;

/// Words for the two sides, in pairs.
const SIDES: [(&[&str], &[&str]); 3] = [
    (
        &["left", "links", "gauche", "izquierda", "izquierdo", "esquerda", "sinistra", "west", "l"],
        &["right", "rechts", "droite", "derecha", "derecho", "direita", "destra", "east", "r"],
    ),
    (&["b", "p"], &["d", "q"]),
    (&["clockwise"], &["anticlockwise", "counterclockwise", "counter"]),
];
/// Signs that need no space around them.
const SIGNS: [(char, char); 5] = [('左', '右'), ('←', '→'), ('⬅', '➡'), ('<', '>'), ('«', '»')];

/// Pictures of a class that must tell before their mirrors mean anything.
const LEAST: usize = 5;
/// Share of a class' mirrored pictures that are taken for another one.
const MOST: f64 = 0.6;

/// Two classes whose names say that one is the other's mirror image, as indices.
pub fn by_name(names: &[String]) -> Option<(usize, usize)> {
    let find = |is: &dyn Fn(&str) -> bool| names.iter().position(|name| is(name));
    let words = SIDES.iter().find_map(|(left, right)| {
        let has = |name: &str, side: &[&str]| words(name).iter().any(|word| side.contains(&word.as_str()));
        // `counterclockwise` is one word, `counter-clockwise` is two: the right side must say so, the left must not.
        let a = find(&|name| has(name, left) && !has(name, right))?;
        let b = find(&|name| has(name, right))?;
        Some((a, b))
    });
    words.or_else(|| {
        SIGNS.iter().find_map(|(left, right)| Some((find(&|name| name.contains(*left))?, find(&|name| name.contains(*right))?)))
    })
}

/// A name's words in small letters; `TurnLeft` is two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        let next = !c.is_alphabetic() || (c.is_uppercase() && small);
        if next && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        small = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphabetic()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Classes whose mirrored pictures a network takes for another class, though it knows the pictures themselves. `mirrored` are the
/// answers to the mirror images of `plain`, picture by picture.
pub fn by_answers(plain: &[Judged], mirrored: &[Judged], classes: usize) -> Vec<(usize, usize)> {
    let mut taken = vec![vec![0_usize; classes]; classes];
    for (one, other) in plain.iter().zip(mirrored).filter(|(one, _)| one.is_right() && one.class < classes) {
        if let Some(count) = taken[one.class].get_mut(other.answer().0) {
            *count += 1;
        }
    }
    let mut found = Vec::new();
    for (class, row) in taken.iter().enumerate() {
        let known: usize = row.iter().sum();
        let other = (0..classes).filter(|other| *other != class).max_by_key(|other| row[*other]);
        if let Some(other) = other.filter(|other| known >= LEAST && row[*other] as f64 >= MOST * known as f64) {
            found.push((class, other));
        }
    }
    found
}

/// The picture seen in a mirror.
pub fn mirrored(image: &RgbaImage) -> RgbaImage {
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for row in image.pixels.chunks_exact(4 * image.width.max(1) as usize) {
        row.chunks_exact(4).rev().for_each(|pixel| pixels.extend_from_slice(pixel));
    }
    RgbaImage { width: image.width, height: image.height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_of_two_sides_are_found_and_others_are_not() {
        for (given, pair) in [
            (&["left", "right"][..], (0, 1)),
            (&["cup", "Arrow RIGHT", "arrow_left"], (2, 1)),
            (&["TurnLeft", "GoRight"], (0, 1)),
            (&["向左", "向右"], (0, 1)),
            (&["→", "←"], (1, 0)),
            (&["b", "d"], (0, 1)),
            (&["counter-clockwise", "clockwise"], (1, 0)),
            (&["links", "rechts"], (0, 1)),
        ] {
            assert_eq!(by_name(&names(given)), Some(pair), "{given:?}");
        }
        for given in [&["cat", "dog"][..], &["bright", "cleft"], &["left", "cup"], &["rightful", "leftover"], &[]] {
            assert_eq!(by_name(&names(given)), None, "{given:?}");
        }
    }

    fn judged(class: usize, probabilities: &[f32]) -> Judged {
        Judged { picture: 0, class, probabilities: probabilities.to_vec() }
    }

    #[test]
    fn mirrored_pictures_that_change_their_class_are_found() {
        let plain: Vec<Judged> =
            (0..20).map(|i| judged(i % 2, if i % 2 == 0 { &[0.9, 0.1, 0.0] } else { &[0.1, 0.9, 0.0] })).collect();
        let swapped: Vec<Judged> =
            (0..20).map(|i| judged(i % 2, if i % 2 == 0 { &[0.2, 0.8, 0.0] } else { &[0.7, 0.3, 0.0] })).collect();
        assert_eq!(by_answers(&plain, &swapped, 3), [(0, 1), (1, 0)]);
        assert_eq!(by_answers(&plain, &plain, 3), []);
        // What the network does not know says nothing, and neither do a few pictures.
        assert_eq!(by_answers(&swapped, &plain, 3), []);
        assert_eq!(by_answers(&plain[..6], &swapped[..6], 3), []);
    }

    #[test]
    fn a_mirror_turns_rows_around() {
        let image = RgbaImage { width: 2, height: 2, pixels: (0..16).collect() };
        let turned = mirrored(&image);
        assert_eq!(turned.pixels, [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11]);
        assert_eq!(mirrored(&turned), image);
    }
}
