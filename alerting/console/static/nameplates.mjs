// What devices say of themselves: serial number, firmware, model.

/** A line for each device, the serial number first.
 * @param {Record<string, Record<string, string>>} attributes by device */
export function nameplates(attributes) {
  return Object.entries(attributes).map(([device, { serial, ...others }]) => {
    const words = Object.entries(serial === undefined ? others : { serial, ...others });
    return `${device}: ${words.map(([name, said]) => `${name} ${said}`).join(', ')}`;
  });
}
