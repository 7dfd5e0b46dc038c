// Types of what lib.mjs hands on, for the checker only: the libraries' own files are minified.
export function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export function render(tree: any, parent: Element): void;
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useRef<T>(initial: T): { current: T };
export function useState<T>(initial: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export const uPlot: new (options: object, data: unknown[], parent: HTMLElement) => any;
export function loadMapLibre(): Promise<{ Map: new (options: object) => any }>;
